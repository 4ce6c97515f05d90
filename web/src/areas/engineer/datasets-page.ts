import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { datasets } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Dataset, Page } from '../../api/types';
import { icon } from '../../components/icon';
import { empty, jobProgress, loading, pager, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';
import { dataTabs } from './tabs';

const SIZE = 50;
const LOOK_AGAIN = 2000;

@customElement('sk-datasets-page')
export class DatasetsPage extends View {
  @state() private page: Page<Dataset> | undefined;
  @state() private number = 1;
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const page = await this.attempt(datasets.list(this.number, SIZE), (problem) => (this.problem = problem));
    if (!page) return;
    this.page = page;
    const busy = page.items.some((one) => one.state === 'queued' || one.state === 'running');
    const { leaving } = this;
    if (busy) setTimeout(() => !leaving.aborted && void this.#load(), LOOK_AGAIN);
  }

  override render(): TemplateResult {
    const words = t().data;
    return html`<div class="page">
      <div class="page-head">
        <h1 class="visually-hidden">${words.sets}</h1>
        ${dataTabs('datasets')}
        <span class="push row">
          ${this.page
            ? pager(this.number, SIZE, this.page.total, (to) => {
                this.number = to;
                void this.#load();
              })
            : nothing}
          <wa-button size="s" variant="brand" href="/uploads">${icon('plus')} ${words.build}</wa-button>
        </span>
      </div>
      ${problemBox(this.problem, [], () => void this.#load())}
      ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
    </div>`;
  }

  #list(page: Page<Dataset>): TemplateResult {
    const words = t().data;
    if (page.items.length === 0) {
      return html`<section class="panel">
        ${empty('database', words.noSetsTitle, words.noSetsText, html`<wa-button size="s" href="/uploads">${words.toUploads}</wa-button>`)}
      </section>`;
    }
    return html`<section class="panel table-wrap">
      <table class="list">
        <thead>
          <tr>
            <th>${words.name}</th>
            <th>${words.state}</th>
            <th class="number">${words.train}</th>
            <th class="number">${words.heldOut}</th>
            <th class="number">${words.patients}</th>
            <th>${words.licence}</th>
            <th>${words.at}</th>
          </tr>
        </thead>
        <tbody>
          ${page.items.map((one) => {
            const { counts } = one;
            return html`<tr>
              <td><a class="name" href=${`/datasets/${one.id}`}>${one.name}</a></td>
              <td>${jobProgress(one)}</td>
              <td class="number">${counts ? number(counts.train) : '–'}</td>
              <td class="number">${counts ? number(counts.validation) : '–'}</td>
              <td class="number">${counts ? number(counts.train_patients + counts.validation_patients) : '–'}</td>
              <td>${one.card?.licence ?? '–'}</td>
              <td>${time(one.created_at)}</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </section>`;
  }
}
