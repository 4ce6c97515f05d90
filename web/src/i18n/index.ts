/** The pages' words in each language, and how numbers and times are written in it. */
import { Observable } from '../components/observable';
import { recall, remember } from '../session/preferences';
import { en } from './en';
import type { Messages } from './messages';
import { zh } from './zh';

export type Language = 'en' | 'zh';

const languages: Record<Language, Messages> = { en, zh };

function preferred(): Language {
  const chosen = recall('language');
  if (chosen === 'en' || chosen === 'zh') return chosen;
  return globalThis.navigator?.language?.startsWith('zh') ? 'zh' : 'en';
}

export const language = new Observable<Language>(preferred());

function show(): void {
  if (globalThis.document) document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
}

language.subscribe(() => {
  remember('language', language.value);
  show();
});
show();

/** The words in the language of now. */
export function t(): Messages {
  return languages[language.value];
}

const locale = () => (language.value === 'zh' ? 'zh-CN' : 'en-GB');

export function number(value: number, digits = 0): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** A loss, in four significant digits. */
export function loss(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : value.toPrecision(4);
}

export function time(text: string, seconds = false): string {
  return new Date(text).toLocaleString(locale(), {
    year: 'numeric',
    month: 'short',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: seconds ? '2-digit' : undefined,
    hour12: false,
  });
}

/** Seconds as the two largest units that matter: `2 min 05 s`. */
export function duration(seconds: number): string {
  const words = t().units;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return words.seconds(whole);
  if (whole < 3600) return words.minutes(Math.floor(whole / 60), whole % 60);
  return words.hours(Math.floor(whole / 3600), Math.floor((whole % 3600) / 60));
}

export function bytes(value: number): string {
  const unit = value >= 1e9 ? 'GB' : value >= 1e6 ? 'MB' : 'kB';
  const by = value >= 1e9 ? 1e9 : value >= 1e6 ? 1e6 : 1e3;
  return `${(value / by).toFixed(value / by < 10 ? 1 : 0)} ${unit}`;
}
