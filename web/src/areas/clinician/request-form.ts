import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { findings, generations, models } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { AgeGroup, Finding, Generation, GenerationRequest, Models, NewGeneration, PromptFinding, Sex } from '../../api/types';
import { areaField, numberField, selectField } from '../../components/fields';
import { problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t } from '../../i18n';
import { findingName } from './prompt-facts';
import { described, LONGEST_TEXT, parts, PLACE_SLUGS, sentence, SEVERITIES, STYLE_SLUGS, switched, VIEW_CODES } from './sentence';

const FIELDS = [
  'findings', 'age_group', 'sex', 'view_position', 'style', 'text', 'negative',
  'seed', 'steps', 'guidance_scale', 'count', 'adapter_id', 'adapter_scale',
];

interface Draft {
  findings: PromptFinding[];
  age_group: AgeGroup | '';
  sex: Sex | '';
  view_position: string;
  style: string;
  text: string;
  negative: string;
  seed: number | null;
  steps: number | null;
  guidance_scale: number | null;
  count: number | null;
  adapter_id: string;
  adapter_scale: number | null;
}

/** The options' word for “not specified”; a select takes an empty value for none at all. */
const ANY = 'any';

const EMPTY: Draft = {
  findings: [], age_group: '', sex: '', view_position: '', style: '', text: '', negative: '',
  seed: null, steps: null, guidance_scale: null, count: 4, adapter_id: '', adapter_scale: 1,
};

/** The structured request for images. */
@customElement('sk-request-form')
export class RequestForm extends View {
  /** Parameters to begin with. */
  @property({ attribute: false }) start: GenerationRequest | undefined;
  @state() private draft: Draft = EMPTY;
  @state() private vocabulary: Finding[] = [];
  @state() private models: Models | undefined;
  @state() private problem: ApiProblem | undefined;
  @state() private busy = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    const got = await this.attempt(Promise.all([findings(), models()]), (problem) => (this.problem = problem));
    if (!got) return;
    const [words, known] = got;
    this.vocabulary = words.items;
    this.models = known;
    this.draft = {
      ...this.draft,
      steps: this.draft.steps ?? known.base.default_steps,
      guidance_scale: this.draft.guidance_scale ?? known.base.default_guidance_scale,
    };
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('start') || !this.start) return;
    const { prompt, ...how } = this.start;
    this.draft = {
      findings: prompt.findings,
      age_group: prompt.age_group ?? '',
      sex: prompt.sex ?? '',
      view_position: prompt.view_position ?? '',
      style: prompt.style ?? '',
      text: prompt.text ?? '',
      negative: how.negative ?? '',
      seed: how.seed,
      steps: how.steps,
      guidance_scale: how.guidance_scale,
      count: how.count,
      adapter_id: how.adapter_id ?? '',
      adapter_scale: how.adapter_scale ?? 1,
    };
  }

  #set(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
  }

  /** The cause of a field, whether the server names it alone or within `prompt`. */
  #cause(field: string): string | undefined {
    return this.problem?.causeOf(field);
  }

  override render(): TemplateResult {
    const words = t().request;
    return html`<form class="panel" @submit=${this.#submit}>
      <header><h2>${words.title}</h2></header>
      <div class="panel-body">
        ${problemBox(this.problem, FIELDS)} ${this.#what()} ${this.#how()}
      </div>
      <footer class="form-foot">
        ${this.#sentence()}
        <wa-button variant="brand" type="submit" ?loading=${this.busy}>${words.submit}</wa-button>
      </footer>
    </form>`;
  }

  #what(): TemplateResult {
    const words = t().request;
    const terms = t().terms;
    const names = terms.findings as Record<string, string>;
    const { draft } = this;
    const any = { value: ANY, label: terms.unspecified };
    const either = <T extends string>(value: T) => (value === ANY ? '' : value);
    const known = this.models?.base.findings ?? [];
    const offered = this.vocabulary.filter((one) => known.length === 0 || known.includes(one.slug));
    return html`<fieldset>
        <legend>${words.findings}</legend>
        <div class="chips" data-test="findings">
          ${offered.map(
            (one) => html`<button
              type="button"
              class="chip"
              aria-pressed=${draft.findings.some((said) => parts(said).finding === one.slug) ? 'true' : 'false'}
              @click=${() => this.#set({ findings: switched(draft.findings, one.slug) })}
            >
              ${names[one.slug] ?? one.name}
            </button>`,
          )}
        </div>
        ${draft.findings.map((one, index) => this.#where(one, index))}
        <small>${words.findingsHint}</small>
        ${this.#cause('findings') ? html`<small class="field-error" role="alert">${this.#cause('findings')}</small>` : nothing}
      </fieldset>
      <div class="pair">
        ${selectField({
          name: 'age-group', label: words.age, value: draft.age_group || ANY, cause: this.#cause('age_group'),
          options: [any, { value: 'child', label: terms.child }, { value: 'adult', label: terms.adult }],
          onChange: (value) => this.#set({ age_group: either(value) as AgeGroup | '' }),
        })}
        ${selectField({
          name: 'sex', label: words.sex, value: draft.sex || ANY, cause: this.#cause('sex'),
          options: [any, { value: 'female', label: terms.female }, { value: 'male', label: terms.male }],
          onChange: (value) => this.#set({ sex: either(value) as Sex | '' }),
        })}
      </div>
      ${selectField({
        name: 'view-position', label: words.view, value: draft.view_position || ANY, cause: this.#cause('view_position'),
        options: [any, ...VIEW_CODES.map((code) => ({ value: code, label: (terms.views as Record<string, string>)[code] ?? code }))],
        onChange: (value) => this.#set({ view_position: either(value) }),
      })}
      ${selectField({
        name: 'style', label: words.style, value: draft.style || ANY, cause: this.#cause('style'),
        options: [any, ...STYLE_SLUGS.map((slug) => ({ value: slug, label: (terms.styles as Record<string, string>)[slug] ?? slug }))],
        onChange: (value) => this.#set({ style: either(value) }),
      })}
      ${areaField({
        name: 'text', label: words.text, hint: words.textHint, value: draft.text, cause: this.#cause('text'),
        maxLength: LONGEST_TEXT, onInput: (text) => this.#set({ text }),
      })}
      ${areaField({
        name: 'negative', label: words.negative, hint: words.negativeHint, value: draft.negative, rows: 1,
        cause: this.#cause('negative'), maxLength: LONGEST_TEXT, onInput: (negative) => this.#set({ negative }),
      })}`;
  }

  /** Place and severity of a finding that was chosen; `normal` has neither. */
  #where(finding: PromptFinding, index: number): TemplateResult | typeof nothing {
    const said = parts(finding);
    if (said.finding === 'normal') return nothing;
    const words = t().request;
    const terms = t().terms;
    const any = { value: ANY, label: terms.unspecified };
    const name = findingName(said.finding);
    const change = (key: 'place' | 'severity') => (value: string) =>
      this.#set({ findings: described(this.draft.findings, index, { [key]: value === ANY ? undefined : value }) });
    return html`<div class="pair" data-test="finding-parts">
      ${selectField({
        name: `place-${index}`, label: words.placeOf(name), value: said.place || ANY,
        options: [any, ...PLACE_SLUGS.map((slug) => ({ value: slug, label: (terms.places as Record<string, string>)[slug] ?? slug }))],
        onChange: change('place'),
      })}
      ${selectField({
        name: `severity-${index}`, label: words.severityOf(name), value: said.severity || ANY,
        options: [any, ...SEVERITIES.map((word) => ({ value: word, label: terms.severities[word] }))],
        onChange: change('severity'),
      })}
    </div>`;
  }

  #how(): TemplateResult {
    const words = t().request;
    const { draft } = this;
    return html`<div class="pair three">
        ${numberField({
          name: 'count', label: words.count, value: draft.count, min: 1, max: 16, required: true,
          cause: this.#cause('count'), onInput: (count) => this.#set({ count }),
        })}
        ${numberField({
          name: 'steps', label: words.steps, value: draft.steps, min: 1, max: 1000, required: true,
          cause: this.#cause('steps'), onInput: (steps) => this.#set({ steps }),
        })}
        ${numberField({
          name: 'guidance', label: words.guidance, value: draft.guidance_scale, min: 0, max: 30, step: 'any', required: true,
          cause: this.#cause('guidance_scale'), onInput: (guidance_scale) => this.#set({ guidance_scale }),
        })}
      </div>
      <small>${words.stepsHint} ${words.guidanceHint}</small>
      ${numberField({
        name: 'seed', label: words.seed, hint: words.seedHint, value: draft.seed, min: 0, max: Number.MAX_SAFE_INTEGER,
        cause: this.#cause('seed'), onInput: (seed) => this.#set({ seed }),
      })}
      ${selectField({
        name: 'adapter', label: words.adapter, value: draft.adapter_id || ANY, cause: this.#cause('adapter_id'),
        options: [
          { value: ANY, label: words.noAdapter },
          ...(this.models?.adapters ?? []).map((one) => ({ value: one.id, label: one.name })),
        ],
        onChange: (value) => this.#set({ adapter_id: value === ANY ? '' : value }),
      })}
      ${draft.adapter_id
        ? numberField({
            name: 'adapter-scale', label: words.adapterScale, value: draft.adapter_scale, min: 0, max: 2, step: 'any',
            cause: this.#cause('adapter_scale'), onInput: (adapter_scale) => this.#set({ adapter_scale }),
          })
        : nothing}`;
  }

  #request(): NewGeneration {
    const { draft } = this;
    return {
      prompt: {
        findings: draft.findings,
        age_group: draft.age_group || null,
        sex: draft.sex || null,
        view_position: draft.view_position || null,
        style: draft.style || null,
        text: draft.text.trim() || null,
      },
      negative: draft.negative.trim() || null,
      seed: draft.seed ?? undefined,
      steps: draft.steps ?? undefined,
      guidance_scale: draft.guidance_scale ?? undefined,
      count: draft.count ?? 1,
      adapter_id: draft.adapter_id || undefined,
      adapter_scale: draft.adapter_id ? (draft.adapter_scale ?? undefined) : undefined,
    };
  }

  #sentence(): TemplateResult {
    const words = t().request;
    const { prompt } = this.#request();
    const said = prompt.findings.length > 0 || prompt.age_group || prompt.sex || prompt.view_position || prompt.style || prompt.text;
    return html`<div class="sentence" aria-live="polite">
      <span>${words.sentence}</span>
      <q lang="en" data-test="sentence">${sentence(prompt, this.vocabulary)}</q>
      ${said ? nothing : html`<small>${words.nothingSaid}</small>`}
    </div>`;
  }

  #submit = async (event: Event) => {
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(generations.create(this.#request()), (problem) => (this.problem = problem));
    this.busy = false;
    if (made) this.dispatchEvent(new CustomEvent<Generation>('requested', { detail: made }));
  };
}
