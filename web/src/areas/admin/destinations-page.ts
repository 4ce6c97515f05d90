import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { destinations } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Destination, Echo, Page } from '../../api/types';
import { dialog } from '../../components/dialog';
import { icon } from '../../components/icon';
import { empty, loading, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t } from '../../i18n';
import './destination-form';

/** Whom released images may be sent to. */
@customElement('sk-destinations-page')
export class DestinationsPage extends View {
  @state() private page: Page<Destination> | undefined;
  @state() private changing: Destination | undefined;
  @state() private removing: Destination | undefined;
  /** What came of asking each archive; undefined while it is asked. */
  @state() private echoes = new Map<string, Echo | undefined>();
  @state() private said = '';
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    const page = await this.attempt(destinations.list(), (problem) => (this.problem = problem));
    if (page) this.page = page;
  }

  override render(): TemplateResult {
    const words = t().destinations;
    return html`<div class="page">
      <div class="page-head">
        <h1>${words.title}</h1>
        <p role="status">${this.said}</p>
      </div>
      <div class="columns">
        <sk-destination-form
          .destination=${this.changing}
          @saved=${(event: CustomEvent<Destination>) => this.#saved(event.detail)}
          @left=${() => (this.changing = undefined)}
        ></sk-destination-form>
        <div class="stack">
          ${problemBox(this.problem, [], () => {
            this.problem = undefined;
            void this.#load();
          })}
          ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
        </div>
      </div>
      ${this.#question()}
    </div>`;
  }

  #list(page: Page<Destination>): TemplateResult {
    const words = t().destinations;
    if (page.items.length === 0) {
      return html`<section class="panel">${empty('archive', words.noneTitle, words.noneText)}</section>`;
    }
    return html`<section class="panel table-wrap">
      <table class="list">
        <thead>
          <tr>
            <th>${words.name}</th>
            <th>${words.address}</th>
            <th>${words.accepts}</th>
            <th>${words.connection}</th>
            <th><span class="visually-hidden">${t().actions.more}</span></th>
          </tr>
        </thead>
        <tbody>
          ${page.items.map((one) => this.#row(one))}
        </tbody>
      </table>
    </section>`;
  }

  #row(one: Destination): TemplateResult {
    const words = t().destinations;
    const titles = one.kind === 'dimse' ? `${one.calling_ae_title ?? ''} → ${one.ae_title ?? ''}` : words.authentications[one.authentication];
    return html`<tr class=${one.name === this.changing?.name ? 'current' : ''}>
      <td>
        <span class="name">${one.name}</span><br /><small>${words.kinds[one.kind]}${one.tls ? ' · TLS' : ''}</small>
      </td>
      <td><span class="mono">${one.address}</span><br /><small>${titles}</small></td>
      <td>
        <span class="mark ${one.accepts_synthetic ? 'mark-succeeded' : 'mark-cancelled'}"
          >${one.accepts_synthetic ? words.marked : words.unmarked}</span
        >
      </td>
      <td>${this.#echo(one)}</td>
      <td>
        <div class="row end" role="group" aria-label=${words.actionsOf(one.name)}>
          <button class="plain" @click=${() => this.#ask(one)}>${words.test}</button>
          ${one.configured
            ? html`<small>${words.configured}</small>`
            : html`<button class="plain" @click=${() => (this.changing = one)}>${words.edit}</button>
                <button class="plain" @click=${() => (this.removing = one)}>${words.remove}</button>`}
        </div>
      </td>
    </tr>`;
  }

  #echo(one: Destination): TemplateResult | string {
    const words = t().destinations;
    if (!this.echoes.has(one.name)) return '–';
    const echo = this.echoes.get(one.name);
    if (!echo) return html`<small role="status">${words.testing}</small>`;
    if (echo.answered) return html`<span class="mark mark-succeeded" role="status">${words.answers}</span>`;
    return html`<div role="alert">
      <span class="mark mark-failed">${words.answersNot}</span>
      <div><small>${echo.cause}</small></div>
      <div><small>${words.answersNotNext[one.kind]}</small></div>
    </div>`;
  }

  #note(name: string, echo: Echo | undefined): void {
    this.echoes = new Map(this.echoes).set(name, echo);
  }

  #forget(name: string): void {
    const echoes = new Map(this.echoes);
    echoes.delete(name);
    this.echoes = echoes;
  }

  async #ask({ name }: Destination): Promise<void> {
    this.problem = undefined;
    this.#note(name, undefined);
    const echo = await this.attempt(destinations.echo(name), (problem) => (this.problem = problem));
    if (echo) this.#note(name, echo);
    else this.#forget(name);
  }

  #saved({ name }: Destination): void {
    // What was asked before was asked with other settings.
    this.#forget(name);
    this.changing = undefined;
    this.said = t().destinations.saved(name);
    void this.#load();
  }

  async #remove({ name }: Destination): Promise<void> {
    this.removing = undefined;
    this.problem = undefined;
    let removed = true;
    await this.attempt(destinations.remove(name), (problem) => {
      removed = false;
      this.problem = problem;
    });
    if (removed) {
      this.said = t().destinations.removed(name);
      this.#forget(name);
      if (this.changing?.name === name) this.changing = undefined;
    }
    await this.#load();
  }

  #question(): TemplateResult {
    const words = t().destinations;
    const { removing } = this;
    return dialog({
      label: words.removeTitle,
      open: removing !== undefined,
      onClose: () => (this.removing = undefined),
      body: html`<p>${words.removeText(removing?.name ?? '')}</p>`,
      footer: html`<wa-button appearance="outlined" data-dialog="close">${t().actions.cancel}</wa-button>
        <wa-button variant="danger" @click=${() => (removing ? void this.#remove(removing) : undefined)}
          >${icon('ban')} ${words.remove}</wa-button
        >`,
    });
  }
}
