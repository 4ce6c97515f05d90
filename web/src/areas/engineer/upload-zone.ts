import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { upload } from '../../api/client';
import type { ApiProblem } from '../../api/problem';
import type { Upload } from '../../api/types';
import { icon } from '../../components/icon';
import { problemBox, progressBar } from '../../components/parts';
import { View } from '../../components/view';
import { bytes, number, t } from '../../i18n';
import { droppedFiles, fileOf } from './dropped';

/** Where radiographs come in: files, a folder or a ZIP, dropped or chosen. */
@customElement('sk-upload-zone')
export class UploadZone extends View {
  @state() private over = false;
  @state() private files: File[] = [];
  @state() private sent: { sent: number; total: number } | undefined;
  @state() private done: Upload | undefined;
  @state() private problem: ApiProblem | undefined;
  #stop: AbortController | undefined;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.abort();
  }

  override render(): TemplateResult {
    const words = t().data;
    return html`<section class="panel">
      <header><h2>${words.upload}</h2></header>
      <div class="panel-body">
        ${this.sent
          ? this.#progress(this.sent)
          : html`<div
              class="drop ${this.over ? 'over' : ''}"
              @dragover=${(event: DragEvent) => {
                event.preventDefault();
                this.over = true;
              }}
              @dragleave=${() => (this.over = false)}
              @drop=${this.#drop}
            >
              ${icon('upload')}
              <strong>${words.drop}</strong>
              <small>${words.dropHint}</small>
              <span class="row">
                ${this.#chooser(words.files, false)} ${this.#chooser(words.folder, true)}
              </span>
            </div>`}
        ${this.done
          ? html`<div class="notice good" role="status">${icon('check')}${words.done(number(this.done.radiograph_count))}</div>`
          : nothing}
        ${this.#refusal()}
      </div>
    </section>`;
  }

  #chooser(label: string, folder: boolean): TemplateResult {
    return html`<label class="chooser"
      ><input
        class="visually-hidden"
        type="file"
        multiple
        ?webkitdirectory=${folder}
        data-test=${folder ? 'choose-folder' : 'choose-files'}
        @change=${(event: Event) => {
          const input = event.target as HTMLInputElement;
          const files = [...(input.files ?? [])];
          input.value = '';
          void this.#send(files);
        }}
      />${label}</label
    >`;
  }

  #progress({ sent, total }: { sent: number; total: number }): TemplateResult {
    const words = t().data;
    const all = total > 0 && sent >= total;
    return html`<div class="sending" role="status">
      <span>${all ? words.checking : words.sending(bytes(sent), bytes(total))}</span>
      ${progressBar(sent, total, words.upload)}
      <wa-button size="s" appearance="outlined" @click=${() => this.#stop?.abort()}>${words.stop}</wa-button>
    </div>`;
  }

  /** The server names files by their place alone; here the names are known. */
  #refusal(): TemplateResult | typeof nothing {
    const { problem } = this;
    if (!problem) return nothing;
    const words = t().data;
    const refused = problem.fields.filter(({ field }) => fileOf(field, this.files) !== undefined);
    if (refused.length === 0) return problemBox(problem);
    return html`${problemBox(problem, refused.map(({ field }) => field))}
      <div class="refused">
        <p>${words.refused}</p>
        <ul>
          ${refused.map(({ field, cause }) => html`<li><code>${fileOf(field, this.files)}</code> ${cause}</li>`)}
        </ul>
      </div>`;
  }

  #drop = async (event: DragEvent) => {
    event.preventDefault();
    this.over = false;
    if (event.dataTransfer) await this.#send(await droppedFiles(event.dataTransfer));
  };

  async #send(files: File[]): Promise<void> {
    if (files.length === 0 || this.sent) return;
    this.files = files;
    this.done = this.problem = undefined;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.sent = { sent: 0, total: files.reduce((sum, file) => sum + file.size, 0) };
    const form = () => {
      const data = new FormData();
      // The bare name: the names of a person's folders are nobody else's business.
      for (const file of files) data.append('files', file, file.name);
      return data;
    };
    this.done = await this.attempt(
      upload<Upload>('/uploads', form, (sent, total) => (this.sent = { sent, total }), signal),
      (problem) => {
        if (!signal.aborted) this.problem = problem;
      },
    );
    this.sent = undefined;
    if (this.done) this.dispatchEvent(new CustomEvent<Upload>('uploaded', { detail: this.done }));
  }
}
