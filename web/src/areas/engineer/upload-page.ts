import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { radiographs, uploads } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { CheckState, Decision, Page, Radiograph, Upload } from '../../api/types';
import { icon } from '../../components/icon';
import { loading, pager, problemBox } from '../../components/parts';
import '../../components/picture';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';
import { findingName } from '../clinician/prompt-facts';

const SIZE = 36;
const SHOWN: readonly (CheckState | undefined)[] = [undefined, 'pending', 'accepted', 'excluded'];

/**
 * The radiographs of one upload, as thumbnails with what their headers say and what quality control doubts. A person
 * decides: with the buttons, or with A and X on the picture that has the focus.
 */
@customElement('sk-upload-page')
export class UploadPage extends View {
  @property() uploadId = '';
  @state() private upload: Upload | undefined;
  @state() private page: Page<Radiograph> | undefined;
  @state() private number = 1;
  @state() private shown: CheckState | undefined;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const got = await this.attempt(
      Promise.all([uploads.get(this.uploadId), radiographs.list(this.uploadId, this.shown, this.number, SIZE)]),
      (problem) => (this.problem = problem),
    );
    if (got) [this.upload, this.page] = got;
  }

  #show(state: CheckState | undefined): void {
    this.shown = state;
    this.number = 1;
    void this.#load();
  }

  async #decide(one: Radiograph, decision: Decision): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const decided = await this.attempt(radiographs.decide(one.id, decision), (problem) => (this.problem = problem));
    this.busy = false;
    if (!decided || !this.page || !this.upload) return;
    // In its place, so that nothing moves under the reader's hand; a filter counts from the next look on.
    const items = this.page.items.map((item) => (item.id === decided.id ? decided : item));
    this.page = { ...this.page, items };
    const waited = one.check_state === 'pending' ? 1 : 0;
    this.upload = { ...this.upload, pending_count: this.upload.pending_count - waited };
  }

  async #decideAll(decision: Decision): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const done = await this.attempt(uploads.decide(this.uploadId, decision), (problem) => (this.problem = problem));
    this.busy = false;
    if (done) await this.#load();
  }

  override render(): TemplateResult {
    const words = t().data;
    const { upload, page } = this;
    return html`<div class="page">
      <div class="page-head">
        <a class="back" href="/uploads">${icon('arrowLeft')}${words.uploads}</a>
        <h1>${upload?.name ?? ''}</h1>
        ${upload ? html`<p>${number(upload.radiograph_count)} · ${time(upload.created_at)}</p>` : nothing}
        <span class="push"
          >${page
            ? pager(this.number, SIZE, page.total, (to) => {
                this.number = to;
                void this.#load();
              })
            : nothing}</span
        >
      </div>
      ${problemBox(this.problem, [], () => void this.#load())} ${upload ? this.#waiting(upload) : nothing}
      <div class="tabs" role="group" aria-label=${words.show}>
        ${SHOWN.map(
          (state) => html`<button
            class="tab"
            type="button"
            aria-pressed=${this.shown === state}
            @click=${() => this.#show(state)}
          >
            ${state ? words.checks[state] : words.all}
          </button>`,
        )}
      </div>
      ${page
        ? html`<ul class="film small">
            ${page.items.map((one) => this.#frame(one))}
          </ul>`
        : this.problem
          ? nothing
          : loading()}
    </div>`;
  }

  /** How many wait for a decision, and both decisions for all of them. */
  #waiting(upload: Upload): TemplateResult | typeof nothing {
    const words = t().data;
    if (upload.pending_count === 0) return nothing;
    return html`<div class="notice row" role="status">
      ${icon('circleAlert')}<span>${words.waiting(number(upload.pending_count))}</span>
      <wa-button size="s" appearance="outlined" ?disabled=${this.busy} @click=${() => void this.#decideAll('accept')}
        >${words.acceptAll}</wa-button
      >
      <wa-button size="s" appearance="outlined" ?disabled=${this.busy} @click=${() => void this.#decideAll('exclude')}
        >${words.excludeAll}</wa-button
      >
    </div>`;
  }

  #keys = (one: Radiograph) => (event: KeyboardEvent) => {
    const decision = ({ a: 'accept', x: 'exclude' } as const)[event.key.toLowerCase()];
    if (!decision || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    void this.#decide(one, decision);
  };

  /** What speaks against a radiograph, and the decision. */
  #doubts(one: Radiograph): TemplateResult | typeof nothing {
    const words = t().data;
    if (one.doubts.length === 0) return nothing;
    const button = (decision: Decision, state: CheckState, label: string) => html`<wa-button
      size="s"
      appearance=${one.check_state === state ? 'filled' : 'outlined'}
      aria-pressed=${one.check_state === state}
      ?disabled=${this.busy}
      @click=${() => void this.#decide(one, decision)}
      >${label}</wa-button
    >`;
    return html`<div class="doubts">
      <span class="mark mark-${one.check_state}">${words.checks[one.check_state]}</span>
      <ul>
        ${one.doubts.map(
          (doubt) => html`<li>${words.doubts[doubt.kind]}<small lang="en">${doubt.cause}</small></li>`,
        )}
      </ul>
      <span class="row">
        ${button('accept', 'accepted', words.accept)} ${button('exclude', 'excluded', words.exclude)}
      </span>
    </div>`;
  }

  #frame(one: Radiograph): TemplateResult {
    const words = t().data;
    const terms = t().terms;
    const line = [
      one.view_position,
      one.sex ? terms[one.sex] : undefined,
      one.age_years === null ? undefined : words.years(one.age_years),
    ].filter(Boolean);
    const findings = one.findings.map(findingName).join(', ');
    const doubted = one.doubts.length > 0;
    return html`<li
      tabindex=${doubted ? 0 : nothing}
      aria-keyshortcuts=${doubted ? 'A X' : nothing}
      @keydown=${doubted ? this.#keys(one) : nothing}
    >
      <div class="film-frame">
        <sk-picture
          .key=${one.id}
          .alt=${[findings, ...line].join(', ') || one.modality}
          .source=${(signal: AbortSignal) => radiographs.rendered(one.id, signal)}
        ></sk-picture>
        ${one.synthetic ? html`<span class="film-mark">${words.synthetic}</span>` : nothing}
      </div>
      <div class="film-text">
        <span>${findings || '–'}</span>
        <small>${line.join(' · ')}</small>
        <small>${one.columns} × ${one.rows} · ${words.bits(one.bits_stored)} · ${one.modality}</small>
      </div>
      ${this.#doubts(one)}
    </li>`;
  }
}
