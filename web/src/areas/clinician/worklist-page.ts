import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { generations, images } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Generation, Page, ReviewState, SyntheticImage } from '../../api/types';
import { icon } from '../../components/icon';
import { empty, loading, pager, problemBox, reviewMark } from '../../components/parts';
import '../../components/picture';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { setQuery } from '../../router';
import { promptLine } from './prompt-facts';
import { rememberList } from './reading-list';
import './send-dialog';

const SIZE = 24;
const STATES: (ReviewState | 'all')[] = ['pending', 'released', 'rejected', 'all'];

/** The images to read, and those that were read, by review state. */
@customElement('sk-worklist-page')
export class WorklistPage extends View {
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private page: Page<SyntheticImage> | undefined;
  @state() private chosen = new Set<string>();
  @state() private sending = false;
  @state() private requests = new Map<string, Generation>();
  @state() private problem: ApiProblem | undefined;

  get #state(): ReviewState | 'all' {
    const asked = this.query.get('state') as ReviewState | 'all';
    return STATES.includes(asked) ? asked : 'pending';
  }

  get #number(): number {
    return Math.max(1, Number(this.query.get('page') ?? 1) || 1);
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('query')) void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    this.chosen = new Set();
    const review_state = this.#state === 'all' ? undefined : this.#state;
    const page = await this.attempt(
      images.list({ review_state, page: this.#number, page_size: SIZE }),
      (problem) => (this.problem = problem),
    );
    if (!page) return;
    this.page = page;
    rememberList(page.items.map((image) => image.id));
    const missing = new Set(page.items.map((image) => image.generation_id).filter((id) => !this.requests.has(id)));
    const got = await Promise.all([...missing].map((id) => this.attempt(generations.get(id), () => undefined)));
    const known = new Map(this.requests);
    for (const generation of got) if (generation) known.set(generation.id, generation);
    this.requests = known;
  }

  override render(): TemplateResult {
    const words = t().worklist;
    const first = this.page?.items.find((image) => image.review_state === 'pending');
    return html`<div class="page">
      <div class="page-head">
        <h1>${words.title}</h1>
        <div class="chips" role="group" aria-label=${words.filter}>
          ${STATES.map(
            (one) => html`<button
              class="chip"
              aria-pressed=${one === this.#state ? 'true' : 'false'}
              @click=${() => setQuery({ state: one, page: null })}
            >
              ${one === 'all' ? words.all : t().review.states[one]}
            </button>`,
          )}
        </div>
        <span class="push row">
          ${this.page ? pager(this.#number, SIZE, this.page.total, (page) => setQuery({ page })) : nothing}
          ${this.chosen.size > 0
            ? html`<wa-button size="s" appearance="outlined" @click=${() => (this.sending = true)}
                >${icon('send')} ${this.chosen.size === 1 ? t().sending.button : t().sending.buttonOf(this.chosen.size)}</wa-button
              >`
            : nothing}
          ${first
            ? html`<wa-button size="s" variant="brand" href=${`/images/${first.id}`}>${words.openNext}</wa-button>`
            : nothing}
        </span>
      </div>
      ${problemBox(this.problem, [], () => void this.#load())}
      ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
      <sk-send .imageIds=${[...this.chosen]} .open=${this.sending} @closed=${() => (this.sending = false)}></sk-send>
    </div>`;
  }

  #choose(ids: string[], chosen: boolean): void {
    const next = new Set(this.chosen);
    for (const id of ids) {
      if (chosen) next.add(id);
      else next.delete(id);
    }
    this.chosen = next;
  }

  #tick(label: string, ids: string[]): TemplateResult {
    return html`<input
      type="checkbox"
      aria-label=${label}
      title=${label}
      .checked=${ids.every((id) => this.chosen.has(id))}
      @change=${(event: Event) => this.#choose(ids, (event.target as HTMLInputElement).checked)}
    />`;
  }

  #list(page: Page<SyntheticImage>): TemplateResult {
    const words = t().worklist;
    if (page.items.length === 0) {
      return html`<section class="panel">
        ${empty('inbox', words.noneTitle, words.noneText, html`<wa-button size="s" href="/requests">${icon('scan')} ${words.toRequests}</wa-button>`)}
      </section>`;
    }
    const released = page.items.filter((image) => image.review_state === 'released').map((image) => image.id);
    return html`<section class="panel table-wrap">
      <table class="list worklist">
        <thead>
          <tr>
            ${released.length > 0 ? html`<th class="tick">${this.#tick(t().sending.tickAll, released)}</th>` : nothing}
            <th>${words.image}</th>
            <th>${words.asked}</th>
            <th>${words.state}</th>
            <th>${words.model}</th>
            <th class="number">${words.seed}</th>
            <th>${words.made}</th>
          </tr>
        </thead>
        <tbody>
          ${page.items.map((image) => this.#row(image, released.length > 0))}
        </tbody>
      </table>
    </section>`;
  }

  #row(image: SyntheticImage, choosing: boolean): TemplateResult {
    const generation = this.requests.get(image.generation_id);
    const made = image.created_at ?? generation?.created_at;
    const adapters = image.provenance.adapters.map(({ name }) => name);
    const label = generation ? promptLine(generation.request) : t().actions.open;
    const tick =
      image.review_state === 'released'
        ? this.#tick(t().sending.tick(`${label}, ${t().request.image(image.index + 1)}`), [image.id])
        : html`<span class="visually-hidden">${t().sending.onlyReleased}</span>`;
    return html`<tr class=${this.chosen.has(image.id) ? 'current' : ''}>
      ${choosing ? html`<td class="tick">${tick}</td>` : nothing}
      <td class="thumb">
        <sk-picture .key=${image.id} .source=${(signal: AbortSignal) => images.png(image.id, signal)}></sk-picture>
      </td>
      <td>
        <a class="name" href=${`/images/${image.id}`}>${label}</a>
        <br /><small>${t().request.image(image.index + 1)}</small>
      </td>
      <td>${reviewMark(image.review_state)}</td>
      <td>${image.provenance.model}${adapters.length > 0 ? html`<br /><small>+ ${adapters.join(', ')}</small>` : nothing}</td>
      <td class="number mono">${image.seed}</td>
      <td>${made ? time(made) : '–'}</td>
    </tr>`;
  }
}
