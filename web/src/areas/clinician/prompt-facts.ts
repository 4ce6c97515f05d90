import type { GenerationRequest, PromptFinding } from '../../api/types';
import { t } from '../../i18n';
import { parts } from './sentence';

/** The name of a finding in the language of the pages. */
export function findingName(slug: string): string {
  return (t().terms.findings as Record<string, string>)[slug] ?? slug.replaceAll('_', ' ');
}

/** A finding with place and severity, in the language of the pages. */
export function findingText(finding: PromptFinding): string {
  const terms = t().terms;
  const said = parts(finding);
  const more = [
    said.severity && ((terms.severities as Record<string, string>)[said.severity] ?? said.severity),
    said.place && ((terms.places as Record<string, string>)[said.place] ?? said.place),
  ].filter(Boolean);
  const name = findingName(said.finding);
  return more.length > 0 ? `${name} (${more.join(', ')})` : name;
}

/** What was asked for, as names and values; parts that were left open are left out. */
export function promptFacts(request: GenerationRequest): (readonly [string, unknown] | undefined)[] {
  const words = t().request;
  const terms = t().terms;
  const { prompt } = request;
  const given = (label: string, value: unknown) =>
    value === null || value === undefined || value === '' ? undefined : ([label, value] as const);
  return [
    given(words.findings, prompt.findings.map(findingText).join(', ')),
    given(words.age, prompt.age_group && terms[prompt.age_group]),
    given(words.sex, prompt.sex && terms[prompt.sex]),
    given(words.view, prompt.view_position),
    given(words.style, prompt.style && ((terms.styles as Record<string, string>)[prompt.style] ?? prompt.style)),
    given(words.text, prompt.text),
    given(words.negative, request.negative),
    given(words.steps, request.steps),
    given(words.guidance, request.guidance_scale),
    given(words.seed, request.seed),
  ];
}

/** The same in one line, for lists. */
export function promptLine(request: GenerationRequest): string {
  const { prompt } = request;
  const terms = t().terms;
  const parts = [
    ...prompt.findings.map(findingText),
    prompt.age_group && terms[prompt.age_group],
    prompt.sex && terms[prompt.sex],
    prompt.view_position,
    prompt.text,
  ].filter(Boolean);
  return parts.join(' · ') || terms.unspecified;
}
