import { describe, expect, it } from 'vitest';

import { language, t } from '../src/i18n';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';

/** Every word of a language by its path; functions by what they say of given numbers. */
function words(node: unknown, path = ''): [string, string][] {
  if (typeof node === 'string') return [[path, node]];
  if (typeof node === 'function') {
    const given = Array.from({ length: node.length }, (_, index) => index + 3);
    return [[path, String((node as (...given: unknown[]) => unknown)(...given))]];
  }
  return Object.entries(node as object).flatMap(([name, child]) => words(child, `${path}.${name}`));
}

describe('words', () => {
  const english = words(en);
  const chinese = new Map(words(zh));

  it('says everything in both languages', () => {
    expect([...chinese.keys()].toSorted()).toEqual(english.map(([path]) => path).toSorted());
    for (const [path, text] of [...english, ...chinese]) expect(text.trim(), path).not.toBe('');
  });

  it('leaves no sentence untranslated', () => {
    // Names, keys and units are the same in both.
    const same = english.filter(([path, text]) => chinese.get(path) === text && /[a-z]{4,} [a-z]{3,}/.test(text));
    expect(same).toEqual([]);
  });

  it('passes every given value on', () => {
    for (const [path, text] of english) {
      for (const digit of text.match(/\b[345]\b/g) ?? []) expect(chinese.get(path), path).toContain(digit);
    }
  });

  it('switches', () => {
    language.value = 'zh';
    expect(t().login.submit).toBe('登录');
    language.value = 'en';
    expect(t().login.submit).toBe('Log in');
  });
});
