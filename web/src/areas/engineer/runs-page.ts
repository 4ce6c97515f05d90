import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { datasets, runs } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Dataset, Page, Run } from '../../api/types';
import { icon } from '../../components/icon';
import { empty, jobProgress, loading, pager, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { loss, t, time } from '../../i18n';
import { go, route } from '../../router';
import './run-form';
import { changeMark } from './verdict';

const SIZE = 50;
const LOOK_AGAIN = 3000;

/** The fine-tunes: start one, see how each went, choose some to compare. */
@customElement('sk-runs-page')
export class RunsPage extends View {
  @state() private page: Page<Run> | undefined;
  @state() private datasets: Dataset[] = [];
  @state() private number = 1;
  @state() private chosen = new Set<string>();
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
    void this.#loadDatasets();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const page = await this.attempt(runs.list(this.number, SIZE), (problem) => (this.problem = problem));
    if (!page) return;
    this.page = page;
    const busy = page.items.some((one) => one.state === 'queued' || one.state === 'running');
    const { leaving } = this;
    if (busy) setTimeout(() => !leaving.aborted && void this.#load(), LOOK_AGAIN);
  }

  async #loadDatasets(): Promise<void> {
    const page = await this.attempt(datasets.list(1, 200), (problem) => (this.problem = problem));
    this.datasets = page?.items.filter((one) => one.state === 'succeeded') ?? [];
  }

  override render(): TemplateResult {
    const words = t().runs;
    const chosen = [...this.chosen];
    return html`<div class="page">
      <div class="page-head">
        <h1>${words.title}</h1>
        <span class="push row">
          <small>${words.compareHint}</small>
          <wa-button
            size="s"
            appearance="outlined"
            ?disabled=${chosen.length < 2}
            @click=${() => go(`/runs/compare?ids=${chosen.join(',')}`)}
            >${icon('activity')} ${words.compare}</wa-button
          >
        </span>
      </div>
      <div class="columns">
        <sk-run-form
          .datasets=${this.datasets}
          .datasetId=${route.value.query.get('dataset') ?? ''}
          @started=${(event: CustomEvent<Run>) => go(`/runs/${event.detail.id}`)}
        ></sk-run-form>
        <div class="stack">
          ${problemBox(this.problem, [], () => void this.#load())}
          ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
        </div>
      </div>
    </div>`;
  }

  #list(page: Page<Run>): TemplateResult {
    const words = t().runs;
    if (page.items.length === 0) {
      return html`<section class="panel">${empty('activity', words.noneTitle, words.noneText)}</section>`;
    }
    return html`<section class="panel">
      <div class="table-wrap">
        <table class="list">
          <thead>
            <tr>
              <th><span class="visually-hidden">${words.compare}</span></th>
              <th>${words.name}</th>
              <th>${t().data.state}</th>
              <th class="number">${words.before}</th>
              <th class="number">${words.after}</th>
              <th>${words.change}</th>
              <th>${t().data.at}</th>
            </tr>
          </thead>
          <tbody>
            ${page.items.map((one) => this.#row(one))}
          </tbody>
        </table>
      </div>
      <footer class="list-foot">
        ${pager(this.number, SIZE, page.total, (to) => {
          this.number = to;
          void this.#load();
        })}
      </footer>
    </section>`;
  }

  #row(one: Run): TemplateResult {
    const words = t().runs;
    const choose = (event: Event) => {
      const next = new Set(this.chosen);
      if ((event.target as HTMLInputElement).checked) next.add(one.id);
      else next.delete(one.id);
      this.chosen = next;
    };
    return html`<tr>
      <td class="tick">
        <input type="checkbox" aria-label=${words.choose(one.name)} .checked=${this.chosen.has(one.id)} @change=${choose} />
      </td>
      <td>
        <a class="name" href=${`/runs/${one.id}`}>${one.name}</a>
        ${one.promoted_at ? html`<br /><small>${words.promoted}</small>` : nothing}
      </td>
      <td>${jobProgress(one)}</td>
      <td class="number mono">${loss(one.validation_loss_before)}</td>
      <td class="number mono">${loss(one.validation_loss_after)}</td>
      <td>${changeMark(one)}</td>
      <td>${time(one.created_at)}</td>
    </tr>`;
  }
}
