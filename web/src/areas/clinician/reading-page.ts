import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { generations, images } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Generation, Review, SyntheticImage } from '../../api/types';
import { typing } from '../../components/help';
import { icon } from '../../components/icon';
import { facts, problemBox, save, short } from '../../components/parts';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { go } from '../../router';
import { singleKeys } from '../../session/preferences';
import { has } from '../../session/session';
import { promptFacts } from './prompt-facts';
import { listAround, rememberList } from './reading-list';
import './review-panel';
import type { ReviewPanel } from './review-panel';
import './send-dialog';
import './viewport';
import type { Viewport } from './viewport';

/** What can be taken away of an image, and how the file is called. */
const ENDINGS = { dicom: 'dcm', png: 'png', report: 'sr.dcm' } as const;

/** One image to be read: the radiograph, what was asked for, where it comes from, the verdict. */
@customElement('sk-reading-page')
export class ReadingPage extends View {
  @property() imageId = '';
  @state() private image: SyntheticImage | undefined;
  @state() private generation: Generation | undefined;
  @state() private list: string[] = [];
  @state() private said = '';
  @state() private sending = false;
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('keydown', this.#key, { signal: this.leaving });
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('imageId')) void this.#load();
  }

  async #load(): Promise<void> {
    const id = this.imageId;
    this.problem = undefined;
    const image = await this.attempt(images.get(id), (problem) => (this.problem = problem));
    if (!image || id !== this.imageId) return;
    this.image = image;
    this.list = listAround(id);
    if (this.generation?.id !== image.generation_id) {
      this.generation = await this.attempt(generations.get(image.generation_id), () => undefined);
    }
    if (this.list.length > 0) return;
    const page = await this.attempt(
      images.list({ generation_id: image.generation_id, page: 1, page_size: 16 }),
      () => undefined,
    );
    if (!page || id !== this.imageId) return;
    this.list = page.items.toSorted((a, b) => a.index - b.index).map((one) => one.id);
    rememberList(this.list);
  }

  #key = (event: KeyboardEvent) => {
    if (event.defaultPrevented || typing(event) || document.querySelector('wa-dialog[open]')) return;
    const onScreen = (event.target as HTMLElement).classList?.contains('screen-canvas');
    if (!singleKeys.value && !onScreen) return;
    const viewport = this.querySelector<Viewport>('sk-viewport');
    const panel = this.querySelector<ReviewPanel>('sk-review-panel');
    const step = { j: 1, k: -1 }[event.key.toLowerCase()];
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (step && !event.ctrlKey && !event.metaKey) this.#step(step);
    else if (event.key.toLowerCase() === 's' && plain && this.#released) this.sending = true;
    else if (!viewport?.act(event) && !panel?.act(event)) return;
    event.preventDefault();
  };

  /** Only such an image may leave for an archive. */
  get #released(): boolean {
    return this.image?.id === this.imageId && this.image.review_state === 'released';
  }

  #neighbour(by: number): string | undefined {
    const at = this.list.indexOf(this.imageId);
    return at < 0 ? undefined : this.list[at + by];
  }

  #step(by: number): void {
    const to = this.#neighbour(by);
    if (to) go(`/images/${to}`);
  }

  /** After a verdict: the next image of the list, or word that this was the last. */
  #judged = async (event: CustomEvent<Review>) => {
    const words = t().review;
    const next = this.#neighbour(1);
    if (next) {
      this.said = event.detail.verdict === 'release' ? words.released : words.rejected;
      this.#step(1);
      return;
    }
    this.said = `${words.saved} ${words.allDone}`;
    await this.#load();
  };

  override render(): TemplateResult {
    const words = t().reader;
    const at = this.list.indexOf(this.imageId);
    return html`<div class="reading">
      <div class="reading-bar">
        <a href="/worklist">${icon('arrowLeft')}${words.toList}</a>
        <h1 class="visually-hidden">${words.title}</h1>
        <span class="row">
          <button class="plain" ?disabled=${!this.#neighbour(-1)} @click=${() => this.#step(-1)} aria-label=${words.previous} title=${`${words.previous} (K)`}>
            ${icon('chevronLeft')}
          </button>
          <span class="mono">${at >= 0 ? words.position(at + 1, this.list.length) : '–'}</span>
          <button class="plain" ?disabled=${!this.#neighbour(1)} @click=${() => this.#step(1)} aria-label=${words.next} title=${`${words.next} (J)`}>
            ${icon('chevronRight')}
          </button>
        </span>
        <span class="said" role="status">${this.said}</span>
        <span class="row push">
          ${this.#released
            ? html`<button class="plain" title=${`${t().sending.button} (S)`} @click=${() => (this.sending = true)}>
                ${icon('send')}${t().sending.button}
              </button>`
            : nothing}
          <button class="plain" @click=${() => this.#download('dicom')}>${icon('download')}${words.downloadDicom}</button>
          <button class="plain" @click=${() => this.#download('png')}>${icon('download')}${words.downloadPng}</button>
          ${has('clinician') && this.image && this.image.review_state !== 'pending'
            ? html`<button class="plain" @click=${() => this.#download('report')}>${icon('download')}${words.downloadReport}</button>`
            : nothing}
        </span>
      </div>
      ${problemBox(this.problem)}
      <sk-send
        .imageIds=${[this.imageId]}
        .open=${this.sending}
        @closed=${() => (this.sending = false)}
      ></sk-send>
      <div class="reading-columns">
        <sk-viewport .imageId=${this.imageId}></sk-viewport>
        <aside class="stack">
          ${this.image
            ? html`<sk-review-panel .image=${this.image} @judged=${this.#judged}></sk-review-panel>${this.#facts(this.image)}`
            : nothing}
        </aside>
      </div>
    </div>`;
  }

  #facts(image: SyntheticImage): TemplateResult {
    const words = t().reader;
    const { provenance } = image;
    const made = image.created_at ?? this.generation?.created_at;
    return html`<section class="panel">
        <header><h2>${words.asked}</h2></header>
        <div class="panel-body">${this.generation ? facts(promptFacts(this.generation.request)) : nothing}</div>
      </section>
      <section class="panel">
        <header><h2>${words.provenance}</h2></header>
        <div class="panel-body">
          ${facts([
            [words.model, provenance.model],
            [words.weights, short(provenance.model_sha256, 16)],
            [
              words.adapters,
              provenance.adapters.length > 0
                ? provenance.adapters.map(({ name, scale }) => `${name} × ${scale}`).join(', ')
                : words.none,
            ],
            ...(provenance.embeddings ?? []).map(
              ({ token, sha256 }) => [words.learned(token), short(sha256, 16)] as const,
            ),
            [words.seed, html`<span class="mono">${image.seed}</span>`],
            [words.steps, provenance.steps],
            [words.guidance, provenance.guidance_scale],
            [words.scheduler, provenance.scheduler],
            ...Object.entries(provenance.options ?? {}).map(
              ([name, value]) => [words.option(name.replaceAll('_', ' ')), JSON.stringify(value)] as const,
            ),
            [words.noise, provenance.random_generator],
            [words.size, `${provenance.width} × ${provenance.height}`],
            ...provenance.inputs.map(
              ({ role, sha256 }) => [words.input(role), short(sha256, 16)] as const,
            ),
            provenance.licence ? [words.licence, provenance.licence] : undefined,
            provenance.attribution?.length ? [words.attribution, provenance.attribution.join('; ')] : undefined,
            provenance.watermark
              ? [words.watermark, html`${provenance.watermark.scheme} ${short(provenance.watermark.key, 16)}`]
              : undefined,
            [words.program, `${provenance.program} ${provenance.version}`],
            [words.object, short(image.sha256, 16)],
            made ? [words.made, time(made, true)] : undefined,
          ])}
        </div>
      </section>`;
  }

  async #download(kind: keyof typeof ENDINGS): Promise<void> {
    const id = this.imageId;
    const blob = await this.attempt(images[kind](id), (problem) => (this.problem = problem));
    if (blob) save(blob, `synthetic-${id}.${ENDINGS[kind]}`);
  }
}
