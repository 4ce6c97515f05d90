import type { Finding, Prompt } from '../../api/types';

const VIEWS: Record<string, string> = {
  AP: 'AP view',
  PA: 'PA view',
  LL: 'left lateral view',
  RL: 'right lateral view',
};

export const VIEW_CODES = Object.keys(VIEWS);
export const LONGEST_TEXT = 2000;

/**
 * The sentence that a structured request becomes, in the model's language.
 *
 * The engine says it anew and has the last word; this is what it will say, shown before sending.
 */
export function sentence(prompt: Prompt, vocabulary: readonly Finding[]): string {
  const parts = ['chest radiograph'];
  if (prompt.view_position) parts.push(VIEWS[prompt.view_position] ?? prompt.view_position);
  if (prompt.age_group) parts.push(prompt.age_group);
  if (prompt.sex && prompt.sex !== 'other') parts.push(prompt.sex);
  for (const finding of vocabulary) if (prompt.findings.includes(finding.slug)) parts.push(finding.name);
  const text = prompt.text?.split(/\s+/).filter(Boolean).join(' ');
  if (text) parts.push(text);
  return parts.join(', ');
}

/** The findings after one is switched: `normal` excludes every other. */
export function switched(findings: readonly string[], slug: string): string[] {
  if (findings.includes(slug)) return findings.filter((one) => one !== slug);
  return slug === 'normal' ? ['normal'] : [...findings.filter((one) => one !== 'normal'), slug];
}
