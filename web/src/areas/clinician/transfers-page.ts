import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { transfers } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Page, Transfer } from '../../api/types';
import { icon } from '../../components/icon';
import { empty, loading, pager, problemBox, progressBar } from '../../components/parts';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { nextOf, watch } from './sending';

const SIZE = 50;

/** What one has sent to archives, and what became of it. */
@customElement('sk-transfers-page')
export class TransfersPage extends View {
  @state() private page: Page<Transfer> | undefined;
  @state() private number = 1;
  @state() private said = '';
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;
  #watched: string | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#watched = undefined;
    void this.#load();
  }

  async #load(): Promise<void> {
    const page = await this.attempt(transfers.list(this.number, SIZE), (problem) => (this.problem = problem));
    if (!page) return;
    this.page = page;
    void this.#follow();
  }

  /** Follows the transfer that is under way, and after it the next: they are sent one by one. */
  async #follow(): Promise<void> {
    const next = nextOf(this.page?.items ?? []);
    if (!next || this.#watched === next.id) return;
    this.#watched = next.id;
    const take = (moved: Transfer) => {
      if (!this.page) return;
      this.page = { ...this.page, items: this.page.items.map((one) => (one.id === moved.id ? moved : one)) };
    };
    let broken = false;
    await this.attempt(watch(next, take, this.leaving), (problem) => {
      broken = true;
      this.problem = problem;
    });
    if (!broken && !this.leaving.aborted) await this.#follow();
  }

  override render(): TemplateResult {
    const words = t().transfers;
    return html`<div class="page">
      <div class="page-head">
        <h1>${words.title}</h1>
        <p role="status">${this.said}</p>
        <span class="push"
          >${this.page
            ? pager(this.number, SIZE, this.page.total, (number) => {
                this.number = number;
                void this.#load();
              })
            : nothing}</span
        >
      </div>
      ${problemBox(this.problem, [], () => {
        this.problem = undefined;
        void this.#load();
      })}
      ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
    </div>`;
  }

  #list(page: Page<Transfer>): TemplateResult {
    const words = t().transfers;
    if (page.items.length === 0) {
      return html`<section class="panel">
        ${empty('send', words.noneTitle, words.noneText, html`<wa-button size="s" href="/worklist?state=released">${icon('list')} ${words.toWorklist}</wa-button>`)}
      </section>`;
    }
    return html`<section class="panel table-wrap">
      <table class="list">
        <thead>
          <tr>
            <th>${words.images}</th>
            <th>${words.to}</th>
            <th>${words.state}</th>
            <th>${words.reason}</th>
            <th>${words.when}</th>
            <th><span class="visually-hidden">${t().actions.more}</span></th>
          </tr>
        </thead>
        <tbody>
          ${page.items.map((one) => this.#row(one))}
        </tbody>
      </table>
    </section>`;
  }

  #row(one: Transfer): TemplateResult {
    const words = t().transfers;
    const count = t().sending.images(one.image_ids.length);
    const failed = one.state === 'failed';
    return html`<tr>
      <td>
        <details>
          <summary>${count}</summary>
          ${one.image_ids.map(
            (id, index) => html`<div><a href=${`/images/${id}`}>${words.show(index + 1)}</a></div>`,
          )}
        </details>
      </td>
      <td><span class="name">${one.destination}</span></td>
      <td>${this.#state(one)}</td>
      <td>
        ${failed
          ? html`${one.error}<br /><small>${t().sending.failedNext}</small>`
          : (one.warning ?? (one.state === 'succeeded' ? words.arrived : '–'))}
      </td>
      <td>${time(one.created_at)}</td>
      <td>
        <div class="row end">
          ${failed
            ? html`<button
                class="plain"
                ?disabled=${this.busy}
                aria-label=${words.againOf(count, one.destination)}
                @click=${() => this.#again(one)}
              >
                ${icon('rotate')}${words.again}
              </button>`
            : nothing}
        </div>
      </td>
    </tr>`;
  }

  #state(one: Transfer): TemplateResult {
    const words = t().transfers;
    const mark = html`<span class="mark mark-${one.state}">${words.states[one.state]}</span>`;
    if (one.state !== 'running') return mark;
    const { step, total } = one.progress;
    return html`<span class="job">${progressBar(step, total, words.states.running)}<small>${step}/${total}</small></span>`;
  }

  /** Sends the same images to the same archive once more: a transfer of its own. */
  async #again({ image_ids, destination }: Transfer): Promise<void> {
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(transfers.create({ image_ids, destination }), (problem) => (this.problem = problem));
    this.busy = false;
    if (!made) return;
    this.said = t().transfers.queuedAgain(destination);
    this.number = 1;
    await this.#load();
  }
}
