import type { Finding, Prompt, PromptFinding, PromptFindingParts } from '../../api/types';

const VIEWS: Record<string, string> = {
  AP: 'AP view',
  PA: 'PA view',
  LL: 'left lateral view',
  RL: 'right lateral view',
};

/** Words of a side stand before the finding, words of a region after it. */
const PLACES: Record<string, string> = {
  bilateral: 'bilateral',
  right: 'right',
  left: 'left',
  right_upper_lobe: 'in the right upper lobe',
  right_middle_lobe: 'in the right middle lobe',
  right_lower_lobe: 'in the right lower lobe',
  left_upper_lobe: 'in the left upper lobe',
  lingula: 'in the lingula',
  left_lower_lobe: 'in the left lower lobe',
  right_apex: 'in the right apex',
  left_apex: 'in the left apex',
  both_apices: 'in both apices',
  right_base: 'in the right base',
  left_base: 'in the left base',
  both_bases: 'in both bases',
  right_hilum: 'in the right hilum',
  left_hilum: 'in the left hilum',
  both_hila: 'in both hila',
};

const STYLES: Record<string, string> = {
  portable: 'portable technique',
  digital: 'digital radiography',
  computed: 'computed radiography',
  film: 'digitised film',
  low_contrast: 'low contrast',
  high_contrast: 'high contrast',
};

export const PLACE_SLUGS = Object.keys(PLACES);
export const STYLE_SLUGS = Object.keys(STYLES);
export const SEVERITIES = ['mild', 'moderate', 'severe'] as const;
export const VIEW_CODES = Object.keys(VIEWS);
export const LONGEST_TEXT = 2000;

/** A finding in parts, however it was written. */
export function parts(finding: PromptFinding): PromptFindingParts {
  return typeof finding === 'string' ? { finding } : finding;
}

/** A finding in the shortest form: its word where nothing more is said. */
export function shortest(finding: PromptFindingParts): PromptFinding {
  const { place, severity, weight } = finding;
  if (!place && !severity && !weight) return finding.finding;
  return { finding: finding.finding, place: place || undefined, severity: severity || undefined, weight: weight ?? undefined };
}

/** `severe pneumonia in the right lower lobe`, in brackets where it has a weight. */
function words(name: string, { place, severity, weight }: PromptFindingParts): string {
  const where = place ? (PLACES[place] ?? place) : '';
  const region = where.startsWith('in ');
  const said = [severity, region ? '' : where, name, region ? where : ''].filter(Boolean).join(' ');
  return weight && weight !== 1 ? `(${said}:${weight})` : said;
}

/**
 * The sentence that a structured request becomes, in the model's language.
 *
 * The engine says it anew and has the last word; this is what it will say, shown before sending.
 */
export function sentence(prompt: Prompt, vocabulary: readonly Finding[]): string {
  const said = ['chest radiograph'];
  if (prompt.view_position) said.push(VIEWS[prompt.view_position] ?? prompt.view_position);
  if (prompt.style) said.push(STYLES[prompt.style] ?? prompt.style);
  if (prompt.age_group) said.push(prompt.age_group);
  if (prompt.sex && prompt.sex !== 'other') said.push(prompt.sex);
  const asked = prompt.findings.map(parts);
  for (const finding of vocabulary) {
    const here = asked.filter((one) => one.finding === finding.slug);
    here.sort((a, b) => PLACE_SLUGS.indexOf(a.place ?? '') - PLACE_SLUGS.indexOf(b.place ?? ''));
    said.push(...here.map((one) => words(finding.name, one)));
  }
  const text = prompt.text?.split(/\s+/).filter(Boolean).join(' ');
  if (text) said.push(text);
  return said.join(', ');
}

/** The findings after one is switched: `normal` excludes every other. */
export function switched(findings: readonly PromptFinding[], slug: string): PromptFinding[] {
  const others = (not: string) => findings.filter((one) => parts(one).finding !== not);
  if (others(slug).length < findings.length) return others(slug);
  return slug === 'normal' ? ['normal'] : [...others('normal'), slug];
}

/** The findings after more, or something else, is said of the one at `index`. */
export function described(
  findings: readonly PromptFinding[],
  index: number,
  change: Partial<PromptFindingParts>,
): PromptFinding[] {
  return findings.map((one, at) => (at === index ? shortest({ ...parts(one), ...change }) : one));
}
