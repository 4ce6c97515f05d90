import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { datasets } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import { follow } from '../../api/sse';
import type { Dataset, DatasetCard, Page, Sample, SplitCount } from '../../api/types';
import { icon } from '../../components/icon';
import { countBars, facts, jobProgress, loading, pager, problemBox, progressBar, short } from '../../components/parts';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';
import { findingName } from '../clinician/prompt-facts';

const SIZE = 25;
/** Below this a fine-tune learns noise more than anything else. */
const FEW = 100;

/** One data set: its card, what it counts, its samples. */
@customElement('sk-dataset-page')
export class DatasetPage extends View {
  @property() datasetId = '';
  @state() private shown: Dataset | undefined;
  @state() private samples: Page<Sample> | undefined;
  @state() private number = 1;
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#open();
  }

  async #open(): Promise<void> {
    await this.#load();
    if (!this.shown || !['queued', 'running'].includes(this.shown.state)) return;
    const watch = { onEvent: () => void this.#load(), onBreak: () => void this.#load() };
    await this.attempt(
      follow(`/datasets/${this.datasetId}/events`, watch, this.leaving),
      (problem) => (this.problem = problem),
    );
    if (!this.leaving.aborted) await this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const dataset = await this.attempt(datasets.get(this.datasetId), (problem) => (this.problem = problem));
    if (!dataset) return;
    this.shown = dataset;
    if (dataset.state === 'succeeded') await this.#loadSamples();
  }

  async #loadSamples(): Promise<void> {
    const page = await this.attempt(
      datasets.samples(this.datasetId, this.number, SIZE),
      (problem) => (this.problem = problem),
    );
    if (page) this.samples = page;
  }

  override render(): TemplateResult {
    const words = t().data;
    const { shown: dataset } = this;
    return html`<div class="page">
      <div class="page-head">
        <a class="back" href="/datasets">${icon('arrowLeft')}${words.sets}</a>
        <h1>${dataset?.name ?? ''}</h1>
        ${dataset ? jobProgress(dataset) : nothing}
        ${dataset?.state === 'succeeded'
          ? html`<wa-button class="push" size="s" variant="brand" href=${`/runs?dataset=${dataset.id}`}
              >${icon('play')} ${words.startRun}</wa-button
            >`
          : nothing}
      </div>
      ${problemBox(this.problem, [], () => void this.#open())}
      ${dataset ? this.#body(dataset) : this.problem ? nothing : loading()}
    </div>`;
  }

  #body(dataset: Dataset): TemplateResult {
    const words = t().data;
    if (dataset.state === 'failed') {
      return html`<div class="notice bad" role="alert">
        ${icon('circleX')}<span><strong>${words.failed}.</strong> ${dataset.error}</span>
      </div>`;
    }
    if (!dataset.card) {
      const { step, total } = dataset.progress;
      return html`<div class="panel"><div class="panel-body" role="status">${words.building}${progressBar(step, total, words.building)}</div></div>`;
    }
    return html`${this.#warnings(dataset)}
      <div class="columns">
        ${this.#card(dataset.card)}
        <div class="stack">${this.#counts(dataset.card)} ${this.samples ? this.#samples(this.samples) : nothing}</div>
      </div>`;
  }

  #warnings(dataset: Dataset): TemplateResult | typeof nothing {
    const { counts } = dataset;
    if (!counts) return nothing;
    const words = t().data;
    const said = [counts.train < FEW ? words.small : '', counts.validation === 0 ? words.noneHeldOut : ''].filter(Boolean);
    return said.length === 0 ? nothing : html`<div class="notice">${icon('circleAlert')}<span>${said.join(' ')}</span></div>`;
  }

  #card(card: DatasetCard): TemplateResult {
    const words = t().data;
    return html`<section class="panel">
      <header><h2>${words.card}</h2></header>
      <div class="panel-body">
        ${facts([
          [words.licence, card.licence],
          [words.attribution, card.attribution],
          [words.train, number(card.samples.train)],
          [words.heldOut, number(card.samples.validation)],
          [words.patients, `${number(card.patients.train)} + ${number(card.patients.validation)}`],
          [words.dropped, number(card.duplicates_dropped)],
          [words.seed, card.seed],
          [words.format, card.engine_version],
          [words.at, time(card.created)],
          ['SHA-256', short(card.sources_sha256, 16)],
        ])}
      </div>
    </section>`;
  }

  #counts(card: DatasetCard): TemplateResult {
    const words = t().data;
    const terms: Record<string, unknown> = t().terms;
    const total = ({ train, validation }: SplitCount) => train + validation;
    const named = (counts: Record<string, SplitCount>, name: (key: string) => string) =>
      Object.entries(counts)
        .map(([key, count]) => [name(key), total(count)] as const)
        .toSorted((a, b) => b[1] - a[1]);
    const term = (key: string) => (typeof terms[key] === 'string' ? terms[key] : key === 'unknown' ? t().terms.unspecified : key);
    const view = (key: string) => (key === 'unknown' ? t().terms.unspecified : key);
    return html`<section class="panel">
      <div class="panel-body count-grid">
        ${countBars(words.findings, named(card.findings, findingName))}
        ${countBars(words.ages, named(card.age_groups, term))} ${countBars(words.sexes, named(card.sexes, term))}
        ${countBars(words.views, named(card.view_positions, view))}
      </div>
    </section>`;
  }

  #samples(page: Page<Sample>): TemplateResult {
    const words = t().data;
    return html`<section class="panel">
      <header>
        <h2>${words.samples}</h2>
        <span class="push"
          >${pager(this.number, SIZE, page.total, (to) => {
            this.number = to;
            void this.#loadSamples();
          })}</span
        >
      </header>
      <div class="table-wrap">
        <table class="list">
          <thead>
            <tr><th>${words.caption}</th><th>${words.split}</th><th>${words.patient}</th><th class="number">${words.size}</th></tr>
          </thead>
          <tbody>
            ${page.items.map(
              (one) => html`<tr>
                <td lang="en">${one.caption}</td>
                <td>${one.split === 'train' ? words.train : words.heldOut}</td>
                <td>${short(one.patient)}</td>
                <td class="number">${one.width} × ${one.height}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }
}
