import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { radiographs, uploads } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Page, Radiograph, Upload } from '../../api/types';
import { icon } from '../../components/icon';
import { loading, pager, problemBox } from '../../components/parts';
import '../../components/picture';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';
import { findingName } from '../clinician/prompt-facts';

const SIZE = 36;

/** The radiographs of one upload, as thumbnails with what their headers say. */
@customElement('sk-upload-page')
export class UploadPage extends View {
  @property() uploadId = '';
  @state() private upload: Upload | undefined;
  @state() private page: Page<Radiograph> | undefined;
  @state() private number = 1;
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const got = await this.attempt(
      Promise.all([uploads.get(this.uploadId), radiographs.list(this.uploadId, this.number, SIZE)]),
      (problem) => (this.problem = problem),
    );
    if (got) [this.upload, this.page] = got;
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
      ${problemBox(this.problem, [], () => void this.#load())}
      ${page
        ? html`<ul class="film small">
            ${page.items.map((one) => this.#frame(one))}
          </ul>`
        : this.problem
          ? nothing
          : loading()}
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
    return html`<li>
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
    </li>`;
  }
}
