import { html, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { runs } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Dataset, Run } from '../../api/types';
import { numberField, selectField, textField } from '../../components/fields';
import { problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { number, t } from '../../i18n';

const FIELDS = ['name', 'dataset_id', 'steps', 'batch_size', 'learning_rate', 'rank', 'alpha', 'seed'];

interface Draft {
  name: string;
  steps: number | null;
  batch_size: number | null;
  learning_rate: number | null;
  rank: number | null;
  alpha: number | null;
  seed: number | null;
}

/** Starts a fine-tune. Its defaults suit a few hundred radiographs. */
@customElement('sk-run-form')
export class RunForm extends View {
  @property({ attribute: false }) datasets: Dataset[] = [];
  @property() datasetId = '';
  @state() private draft: Draft = {
    name: '', steps: 500, batch_size: 8, learning_rate: 0.0001, rank: 8, alpha: 8, seed: 0,
  };
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;

  #number(field: Exclude<keyof Draft, 'name'>, label: string, hint?: string, limits: { min?: number; max?: number; step?: 'any' } = {}) {
    return numberField({
      name: field, label, hint, ...limits, required: true, value: this.draft[field], cause: this.problem?.causeOf(field),
      onInput: (value) => (this.draft = { ...this.draft, [field]: value }),
    });
  }

  override render(): TemplateResult {
    const words = t().runs;
    const chosen = this.datasetId || this.datasets[0]?.id || '';
    return html`<form class="panel" @submit=${this.#submit}>
      <header><h2>${words.start}</h2></header>
      <div class="panel-body">
        ${problemBox(this.problem, FIELDS)}
        ${this.datasets.length === 0
          ? html`<div class="notice"><span>${words.noDatasets} <a href="/uploads">${t().data.build}</a></span></div>`
          : selectField({
              name: 'dataset', label: words.dataset, value: chosen, cause: this.problem?.causeOf('dataset_id'),
              options: this.datasets.map((one) => ({
                value: one.id,
                label: one.counts ? `${one.name} (${number(one.counts.train)} + ${number(one.counts.validation)})` : one.name,
              })),
              onChange: (value) => (this.datasetId = value),
            })}
        ${textField({
          name: 'run-name', label: words.name, hint: words.nameHint, value: this.draft.name, required: true,
          cause: this.problem?.causeOf('name'), onInput: (name) => (this.draft = { ...this.draft, name }),
        })}
        ${this.#number('steps', words.steps, words.stepsHint, { min: 1, max: 1_000_000 })}
        ${this.#number('batch_size', words.batch, words.batchHint, { min: 1, max: 256 })}
        <details ?open=${FIELDS.slice(4).some((field) => this.problem?.causeOf(field))}>
          <summary>${words.advanced}</summary>
          <div class="stack">
            <div class="pair">
              ${this.#number('rank', words.rank, undefined, { min: 1, max: 256 })}
              ${this.#number('alpha', words.alpha, undefined, { min: 0, max: 1024, step: 'any' })}
            </div>
            <small>${words.rankHint} ${words.alphaHint}</small>
            <div class="pair">
              ${this.#number('learning_rate', words.rate, undefined, { min: 0, max: 1, step: 'any' })}
              ${this.#number('seed', words.seed, undefined, { min: 0, max: Number.MAX_SAFE_INTEGER })}
            </div>
            <small>${words.rateHint}</small>
          </div>
        </details>
        <wa-button variant="brand" type="submit" ?disabled=${chosen === ''} ?loading=${this.busy}>${words.submit}</wa-button>
      </div>
    </form>`;
  }

  #submit = async (event: Event) => {
    event.preventDefault();
    const dataset_id = this.datasetId || this.datasets[0]?.id;
    if (this.busy || !dataset_id) return;
    const { draft } = this;
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(
      runs.create({
        name: draft.name.trim(),
        dataset_id,
        method: 'lora',
        rank: draft.rank ?? 8,
        alpha: draft.alpha ?? 8,
        steps: draft.steps ?? 0,
        batch_size: draft.batch_size ?? 0,
        learning_rate: draft.learning_rate ?? 0,
        seed: draft.seed ?? 0,
      }),
      (problem) => (this.problem = problem),
    );
    this.busy = false;
    if (made) this.dispatchEvent(new CustomEvent<Run>('started', { detail: made }));
  };
}
