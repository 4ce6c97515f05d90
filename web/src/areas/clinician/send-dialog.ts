import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { transfers } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Destination, Transfer } from '../../api/types';
import { dialog } from '../../components/dialog';
import { selectField } from '../../components/fields';
import { icon } from '../../components/icon';
import { empty, loading, problemBox, progressBar } from '../../components/parts';
import { View } from '../../components/view';
import { t } from '../../i18n';
import { isOver, permittedDestinations, watch } from './sending';

/** Sends released images to an archive, and tells how it goes. */
@customElement('sk-send')
export class SendDialog extends View {
  @property({ attribute: false }) imageIds: string[] = [];
  @property({ attribute: false }) open = false;
  @state() private archives: Destination[] | undefined;
  @state() private chosen = '';
  @state() private transfer: Transfer | undefined;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;
  #watching: AbortController | undefined;

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('open') && this.open) void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#watching?.abort();
  }

  async #begin(): Promise<void> {
    this.#watching?.abort();
    this.transfer = this.problem = this.archives = undefined;
    const archives = await this.attempt(permittedDestinations(), (problem) => (this.problem = problem));
    if (!archives) return;
    this.archives = archives;
    // The archive of last time, as long as it is one.
    if (!archives.some(({ name }) => name === this.chosen)) this.chosen = archives[0]?.name ?? '';
  }

  #send = async () => {
    if (this.busy || this.chosen === '') return;
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(
      transfers.create({ image_ids: this.imageIds, destination: this.chosen }),
      (problem) => (this.problem = problem),
    );
    this.busy = false;
    if (!made) return;
    this.transfer = made;
    const watching = (this.#watching = new AbortController());
    await this.attempt(
      watch(made, (transfer) => (this.transfer = transfer), watching.signal),
      (problem) => (this.problem = problem),
    );
  };

  #close = () => {
    this.#watching?.abort();
    this.dispatchEvent(new CustomEvent('closed'));
  };

  override render(): TemplateResult {
    const words = t().sending;
    const { transfer, archives } = this;
    const failed = transfer?.state === 'failed' || transfer?.state === 'cancelled';
    const choosing = !transfer && archives !== undefined && archives.length > 0;
    return dialog({
      label: words.title(words.images(this.imageIds.length)),
      open: this.open,
      onClose: this.#close,
      body: html`<div class="stack">
        ${problemBox(this.problem, [], archives ? undefined : () => void this.#begin())}
        ${transfer ? this.#progress(transfer) : archives ? this.#choice(archives) : this.problem ? nothing : loading()}
      </div>`,
      footer: html`<wa-button appearance="outlined" data-dialog="close"
          >${transfer ? t().actions.close : t().actions.cancel}</wa-button
        >
        ${choosing || failed
          ? html`<wa-button variant="brand" data-test="send" ?loading=${this.busy} @click=${this.#send}
              >${failed ? t().transfers.again : words.submit}</wa-button
            >`
          : nothing}`,
    });
  }

  #choice(archives: Destination[]): TemplateResult {
    const words = t().sending;
    if (archives.length === 0) return empty('archive', words.noneTitle, words.noneText);
    return html`${selectField({
      name: 'archive', label: words.to, hint: words.hint, value: this.chosen,
      cause: this.problem?.causeOf('destination'),
      options: archives.map((one) => ({ value: one.name, label: `${one.name} · ${one.address}` })),
      onChange: (chosen) => (this.chosen = chosen),
    })}`;
  }

  #progress(transfer: Transfer): TemplateResult {
    const words = t().sending;
    const { step, total } = transfer.progress;
    const count = words.images(transfer.image_ids.length);
    if (!isOver(transfer.state)) {
      const said = transfer.state === 'queued' ? words.queued : words.running(step, total);
      return html`<p role="status">${transfer.destination}: ${said}</p>
        ${progressBar(step, total, said)}
        <small>${words.goesOn}</small>`;
    }
    const link = html`<a href="/transfers">${words.toList}</a>`;
    if (transfer.state === 'succeeded') {
      return html`<div class="notice good" role="status">
          ${icon('check')}<span>${words.succeeded(count, transfer.destination)}</span>
        </div>
        ${transfer.warning ? html`<div class="notice" role="note">${icon('circleAlert')}<span>${transfer.warning}</span></div>` : nothing}
        ${link}`;
    }
    return html`<div class="notice bad" role="alert">
        ${icon('circleX')}<span
          ><strong>${words.failed}.</strong> ${transfer.error ?? words.cancelled}<br />${words.failedNext}</span
        >
      </div>
      ${link}`;
  }
}
