import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { destinations } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Authentication, Destination, DestinationKind } from '../../api/types';
import { areaField, checkField, numberField, selectField, textField } from '../../components/fields';
import { icon } from '../../components/icon';
import { problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t } from '../../i18n';
import { draftOf, EMPTY, settingsOf, type Draft } from './destination';

const FIELDS = [
  'name', 'kind', 'address', 'accepts_synthetic', 'ae_title', 'calling_ae_title', 'tls', 'authorities', 'server_name',
  'timeout_seconds', 'authentication', 'username', 'secret',
];

/** A new archive, or other settings of one that is there. */
@customElement('sk-destination-form')
export class DestinationForm extends View {
  /** The archive that is changed; a new one where there is none. */
  @property({ attribute: false }) destination: Destination | undefined;
  @state() private draft: Draft = EMPTY;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('destination')) return;
    this.draft = this.destination ? draftOf(this.destination) : EMPTY;
    this.problem = undefined;
  }

  protected override updated(changed: Map<string, unknown>): void {
    // Whoever chose to change an archive goes on at its first field, also without a mouse.
    if (changed.has('destination') && this.destination) this.querySelector<HTMLElement>('wa-select, wa-input')?.focus();
  }

  #set(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
  }

  #cause(field: string): string | undefined {
    return this.problem?.causeOf(field);
  }

  override render(): TemplateResult {
    const words = t().destinations;
    const { draft, destination } = this;
    return html`<form class="panel" @submit=${this.#submit}>
      <header><h2>${destination ? words.change(destination.name) : words.add}</h2></header>
      <div class="panel-body">
        ${problemBox(this.problem, FIELDS)}
        ${destination
          ? nothing
          : textField({
              name: 'destination-name', label: words.name, hint: words.nameHint, value: draft.name, required: true,
              cause: this.#cause('name'), onInput: (name) => this.#set({ name }),
            })}
        ${selectField<DestinationKind>({
          name: 'kind', label: words.kind, value: draft.kind, cause: this.#cause('kind'),
          options: (['dimse', 'dicomweb'] as const).map((value) => ({ value, label: words.kinds[value] })),
          onChange: (kind) => this.#set({ kind }),
        })}
        ${textField({
          name: 'address', label: words.address, hint: words.addressHints[draft.kind], value: draft.address, required: true,
          cause: this.#cause('address'), onInput: (address) => this.#set({ address }),
        })}
        ${draft.kind === 'dimse' ? this.#dimse() : this.#web()}
        ${numberField({
          name: 'timeout', label: words.timeout, value: draft.timeout, min: 1, max: 600,
          cause: this.#cause('timeout_seconds'), onInput: (timeout) => this.#set({ timeout }),
        })}
        ${checkField({
          name: 'accepts', label: words.accepts, hint: words.acceptsHint, checked: draft.accepts,
          cause: this.#cause('accepts_synthetic'), onChange: (accepts) => this.#set({ accepts }),
        })}
        <div class="notice" role="note">${icon('circleAlert')}<span><strong>${words.acceptsTitle}.</strong> ${words.acceptsText}</span></div>
        <div class="row">
          <wa-button variant="brand" type="submit" ?loading=${this.busy}>${destination ? t().actions.save : words.submit}</wa-button>
          ${destination
            ? html`<wa-button appearance="outlined" @click=${() => this.dispatchEvent(new CustomEvent('left'))}
                >${t().actions.cancel}</wa-button
              >`
            : nothing}
        </div>
      </div>
    </form>`;
  }

  #dimse(): TemplateResult {
    const words = t().destinations;
    const { draft } = this;
    return html`${textField({
        name: 'ae-title', label: words.calledTitle, value: draft.aeTitle, required: true,
        cause: this.#cause('ae_title'), onInput: (aeTitle) => this.#set({ aeTitle }),
      })}
      ${textField({
        name: 'calling-ae-title', label: words.callingTitle, hint: words.callingTitleHint, value: draft.callingAeTitle,
        cause: this.#cause('calling_ae_title'), onInput: (callingAeTitle) => this.#set({ callingAeTitle }),
      })}
      ${checkField({
        name: 'tls', label: words.tls, hint: words.tlsHint, checked: draft.tls,
        cause: this.#cause('tls'), onChange: (tls) => this.#set({ tls }),
      })}
      ${draft.tls
        ? html`${this.#authorities()}
          ${textField({
            name: 'server-name', label: words.serverName, hint: words.serverNameHint, value: draft.serverName,
            cause: this.#cause('server_name'), onInput: (serverName) => this.#set({ serverName }),
          })}`
        : nothing}`;
  }

  #web(): TemplateResult {
    const words = t().destinations;
    const { draft, destination } = this;
    const kept = destination && destination.authentication === draft.authentication;
    return html`${selectField<Authentication>({
        name: 'authentication', label: words.authentication, value: draft.authentication,
        cause: this.#cause('authentication'),
        options: (['none', 'bearer', 'basic'] as const).map((value) => ({ value, label: words.authentications[value] })),
        onChange: (authentication) => this.#set({ authentication, secret: '' }),
      })}
      ${draft.authentication === 'basic'
        ? textField({
            name: 'login-name', label: words.username, value: draft.username, required: true,
            cause: this.#cause('username'), onInput: (username) => this.#set({ username }),
          })
        : nothing}
      ${draft.authentication === 'none'
        ? nothing
        : textField({
            name: 'secret', type: 'password', autocomplete: 'new-password', value: draft.secret, required: !kept,
            label: draft.authentication === 'bearer' ? words.token : words.password,
            hint: kept ? `${words.secretHint} ${words.secretKept}` : words.secretHint,
            cause: this.#cause('secret'), onInput: (secret) => this.#set({ secret }),
          })}
      ${this.#authorities()}`;
  }

  #authorities(): TemplateResult {
    const words = t().destinations;
    const { draft } = this;
    return html`${areaField({
        name: 'authorities', label: words.authorities, hint: words.authoritiesHints[draft.kind], value: draft.authorities,
        placeholder: '-----BEGIN CERTIFICATE-----', required: draft.kind === 'dimse',
        cause: this.#cause('authorities'), onInput: (authorities) => this.#set({ authorities }),
      })}
      <label class="chooser"
        ><input class="visually-hidden" type="file" accept=".pem,.crt,.cer" data-test="choose-authorities" @change=${this.#read} />${words.chooseFile}</label
      >`;
  }

  #read = async (event: Event) => {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    input.value = '';
    if (!file) return;
    const authorities = await this.attempt(file.text(), (problem) => (this.problem = problem));
    if (authorities !== undefined) this.#set({ authorities });
  };

  #submit = async (event: Event) => {
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    this.problem = undefined;
    const settings = settingsOf(this.draft);
    const saved = await this.attempt(
      this.destination
        ? destinations.change(this.destination.name, settings)
        : destinations.create({ name: this.draft.name.trim(), settings }),
      (problem) => (this.problem = problem),
    );
    this.busy = false;
    if (!saved) return;
    this.draft = EMPTY;
    this.dispatchEvent(new CustomEvent<Destination>('saved', { detail: saved }));
  };
}
