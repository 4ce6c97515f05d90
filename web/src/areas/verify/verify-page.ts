import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { upload } from '../../api/client';
import type { ApiProblem } from '../../api/problem';
import type { Verified } from '../../api/types';
import { icon, type IconName } from '../../components/icon';
import { facts, problemBox, progressBar, reviewMark } from '../../components/parts';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';

const LOOKS: Record<Verified['verdict'], [IconName, string]> = {
  synthetic: ['shield', 'good'],
  contradicted: ['circleAlert', 'bad'],
  declared: ['circleAlert', ''],
  unknown: ['search', ''],
};

/** What an image is: dropped or chosen, looked at, not kept. */
@customElement('sk-verify-page')
export class VerifyPage extends View {
  @state() private over = false;
  @state() private name = '';
  @state() private sent: { sent: number; total: number } | undefined;
  @state() private found: Verified | undefined;
  @state() private problem: ApiProblem | undefined;
  #stop: AbortController | undefined;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.abort();
  }

  override render(): TemplateResult {
    const words = t().verify;
    return html`<div class="page">
      <div class="page-head"><h1>${words.title}</h1></div>
      <section class="panel">
        <div class="panel-body">
          ${this.sent
            ? html`<div class="sending" role="status">
                <span>${words.looking}</span>${progressBar(this.sent.sent, this.sent.total, words.title)}
                <wa-button size="s" appearance="outlined" @click=${() => this.#stop?.abort()}>${words.stop}</wa-button>
              </div>`
            : this.#zone()}
        </div>
      </section>
      ${problemBox(this.problem)} ${this.found ? this.#result(this.found) : nothing}
    </div>`;
  }

  #zone(): TemplateResult {
    const words = t().verify;
    return html`<div
      class="drop ${this.over ? 'over' : ''}"
      @dragover=${(event: DragEvent) => {
        event.preventDefault();
        this.over = true;
      }}
      @dragleave=${() => (this.over = false)}
      @drop=${(event: DragEvent) => {
        event.preventDefault();
        this.over = false;
        void this.#look(event.dataTransfer?.files[0]);
      }}
    >
      ${icon('shield')}
      <strong>${words.drop}</strong>
      <small>${words.hint}</small>
      <label class="chooser"
        ><input
          class="visually-hidden"
          type="file"
          data-test="choose-file"
          @change=${(event: Event) => {
            const input = event.target as HTMLInputElement;
            const file = input.files?.[0];
            input.value = '';
            void this.#look(file);
          }}
        />${words.choose}</label
      >
    </div>`;
  }

  #result(found: Verified): TemplateResult {
    const words = t().verify;
    const [name, look] = LOOKS[found.verdict];
    const { said, credential, watermark, registry } = found;
    const says = [
      said.synthetic_data ? 'Synthetic Data (0008,001C) YES' : '',
      said.source_type ? 'trainedAlgorithmicMedia' : '',
      said.equipment ?? '',
      said.prompt ?? '',
    ].filter((part) => part !== '');
    const score = number(watermark.score, 1);
    const from = number(watermark.threshold, 2);
    return html`<div class="notice ${look}" role="status" tabindex="-1" data-test=${found.verdict}>
        ${icon(name)}
        <div><strong>${words.verdicts[found.verdict]}</strong><p>${words.verdictTexts[found.verdict]}</p></div>
      </div>
      <section class="panel">
        <div class="panel-body">
          ${facts([
            [words.file, html`${this.name} · ${found.format.toUpperCase()}, ${found.width} × ${found.height}`],
            [words.watermark, watermark.found ? words.marked(score, from) : words.unmarked(score, from)],
            [words.credential, html`${words.credentials[credential.state]} ${credential.signer ?? ''} <small>${credential.faults.join(', ')}</small>`],
            [words.registry, registry ? html`${reviewMark(registry.review_state)} ${time(registry.created_at)} · ${registry.by.map((kind) => words.by[kind]).join(', ')}` : words.notOurs],
            [words.says, says.length > 0 ? says.join(' · ') : words.nothing],
            ['SHA-256', html`<code>${found.sha256}</code>`],
          ])}
        </div>
      </section>`;
  }

  async #look(file: File | undefined): Promise<void> {
    if (!file || this.sent) return;
    this.found = this.problem = undefined;
    this.name = file.name;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.sent = { sent: 0, total: file.size };
    const form = () => {
      const data = new FormData();
      // Without its name: that is nobody else's business.
      data.append('files', file, 'file');
      return data;
    };
    this.found = await this.attempt(
      upload<Verified>('/verify', form, (sent, total) => (this.sent = { sent, total }), signal),
      (problem) => {
        if (!signal.aborted) this.problem = problem;
      },
    );
    this.sent = undefined;
    await this.updateComplete;
    // The chooser that had the focus is gone; what came of it is where a reader goes on.
    if (document.activeElement !== document.body) return;
    const next = this.querySelector<HTMLElement>('.notice') ?? this.querySelector<HTMLElement>('.chooser input');
    next?.focus();
  }
}
