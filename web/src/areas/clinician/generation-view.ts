import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { generations, images } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import { follow } from '../../api/sse';
import type { Generation, SyntheticImage } from '../../api/types';
import '../../components/picture';
import { icon } from '../../components/icon';
import { facts, loading, problemBox, progressBar, reviewMark, stateMark } from '../../components/parts';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { rememberList } from './reading-list';
import { promptFacts } from './prompt-facts';

/** What `progress` says: steps over all images. */
interface GenerationProgress {
  state: Generation['state'];
  step: number;
}

/** What `preview` says: an image in the making. */
interface Preview {
  image: number;
  step: number;
  steps: number;
  png_base64: string;
}

/** One request and its images, as they are made. */
@customElement('sk-generation')
export class GenerationView extends View {
  @property() generationId = '';
  @state() private generation: Generation | undefined;
  @state() private made: SyntheticImage[] = [];
  @state() private now: GenerationProgress | undefined;
  @state() private preview: Preview | undefined;
  @state() private problem: ApiProblem | undefined;
  #watching: AbortController | undefined;

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('generationId')) void this.#open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#watching?.abort();
  }

  async #open(): Promise<void> {
    this.#watching?.abort();
    const watching = (this.#watching = new AbortController());
    this.generation = this.now = this.preview = this.problem = undefined;
    this.made = [];
    await this.#refresh();
    const begun = this.generation as Generation | undefined;
    if (!begun || !['queued', 'running'].includes(begun.state)) return;
    await this.attempt(
      follow(
        `/generations/${this.generationId}/events`,
        {
          onEvent: ({ event, data }) => {
            if (event === 'preview') this.preview = JSON.parse(data) as Preview;
            else this.#take(JSON.parse(data) as GenerationProgress);
          },
          onBreak: () => void this.#refresh(),
        },
        watching.signal,
      ),
      (problem) => (this.problem = problem),
    );
    if (watching.signal.aborted) return;
    await this.#refresh();
    this.dispatchEvent(new CustomEvent('ended'));
  }

  #take(progress: GenerationProgress): void {
    this.now = progress;
    const { generation } = this;
    if (!generation) return;
    if (generation.state !== progress.state) this.generation = { ...generation, state: progress.state };
    if (this.#current() > this.made.length) void this.#refresh();
  }

  /** The image that is being made. */
  #current(): number {
    const steps = this.generation?.request.steps ?? 1;
    return Math.floor((this.now?.step ?? this.generation?.progress.step ?? 0) / steps);
  }

  async #refresh(): Promise<void> {
    const id = this.generationId;
    const got = await this.attempt(
      Promise.all([generations.get(id), images.list({ generation_id: id, page: 1, page_size: 16 })]),
      (problem) => (this.problem = problem),
    );
    if (!got || id !== this.generationId) return;
    this.generation = got[0];
    this.made = got[1].items.toSorted((a, b) => a.index - b.index);
    rememberList(this.made.map((image) => image.id));
  }

  override render(): TemplateResult {
    const { generation } = this;
    if (!generation) return this.problem ? problemBox(this.problem) as TemplateResult : loading();
    const words = t().request;
    const count = Math.max(generation.request.count ?? 1, this.made.length);
    const busy = generation.state === 'queued' || generation.state === 'running';
    const first = this.made.find((image) => image.review_state === 'pending') ?? this.made[0];
    return html`<section class="panel" aria-busy=${busy ? 'true' : 'false'}>
      <header>
        <h2>${words.result}</h2>
        ${stateMark(generation.state)}
        <small>${words.count_of(this.made.length, count)} · ${time(generation.created_at)}</small>
        <span class="row push">
          ${busy
            ? html`<wa-button size="s" appearance="outlined" @click=${this.#cancel}>${words.stop}</wa-button>`
            : html`<wa-button size="s" appearance="outlined" @click=${this.#again}>${words.again}</wa-button>`}
          ${first && !busy
            ? html`<wa-button size="s" variant="brand" href=${`/images/${first.id}`}>${words.review}</wa-button>`
            : nothing}
        </span>
      </header>
      <div class="panel-body">
        ${problemBox(this.problem)}
        ${generation.state === 'failed'
          ? html`<div class="notice bad" role="alert">${icon('circleX')}<span><strong>${words.failed}.</strong> ${generation.error}</span></div>`
          : nothing}
        ${this.#notes()}
        ${generation.state === 'queued' ? html`<div class="notice" role="status">${words.waiting}</div>` : nothing}
        <ul class="film">
          ${Array.from({ length: count }, (_, index) => this.#frame(index))}
        </ul>
        <details><summary>${t().reader.asked}</summary>${facts(promptFacts(generation.request))}</details>
      </div>
    </section>`;
  }

  /** Words that the model does not know, and text that it has no room for: no error, but worth knowing. */
  #notes(): TemplateResult | typeof nothing {
    const notes = this.generation?.request.notes ?? [];
    if (notes.length === 0) return nothing;
    const words = t().request;
    return html`<div class="notice" role="note" data-test="notes">
      <ul>
        ${notes.map((note) => {
          const of = note.field === 'negative' ? words.negative : words.sentence;
          return html`${note.unknown.length > 0
            ? html`<li>${of}: ${words.unknownWords} <q>${note.unknown.join(', ')}</q></li>`
            : nothing}
          ${note.beyond ? html`<li>${of}: ${words.beyond} <q>${note.beyond}</q></li>` : nothing}`;
        })}
      </ul>
    </div>`;
  }

  #frame(index: number): TemplateResult {
    const words = t().request;
    const image = this.made.find((one) => one.index === index);
    if (image) {
      return html`<li>
        <a class="film-frame" href=${`/images/${image.id}`} aria-label=${words.openImage(index + 1)}>
          <sk-picture .key=${image.id} .source=${(signal: AbortSignal) => images.png(image.id, signal)}></sk-picture>
        </a>
        <div class="film-foot"><span>${words.image(index + 1)}</span>${reviewMark(image.review_state)}</div>
      </li>`;
    }
    const current = this.generation?.state === 'running' && this.#current() === index;
    const over = this.generation && !['queued', 'running'].includes(this.generation.state);
    const total = this.generation?.request.steps ?? 0;
    const step = (this.now?.step ?? 0) - index * total;
    const { preview } = this;
    return html`<li>
      <div class="film-frame unmade">
        ${preview?.image === index ? html`<img src=${`data:image/png;base64,${preview.png_base64}`} alt="" />` : nothing}
      </div>
      <div class="film-foot">
        ${current
          ? html`<span role="status">${words.drawing(step, total)}</span>${progressBar(step, total, words.image(index + 1))}`
          : html`<small>${over ? words.stopped : words.waitingImage}</small>`}
      </div>
    </li>`;
  }

  #cancel = async () => {
    await this.attempt(generations.cancel(this.generationId), (problem) => (this.problem = problem));
    await this.#refresh();
  };

  #again = () => {
    this.dispatchEvent(new CustomEvent('again', { detail: this.generation?.request }));
  };
}
