import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { users } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import { ROLES, type NewPassword, type Page, type Role, type User } from '../../api/types';
import { dialog } from '../../components/dialog';
import { checkField, textField } from '../../components/fields';
import { icon } from '../../components/icon';
import { loading, pager, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { user as self } from '../../session/session';

const SIZE = 50;

type Question = { kind: 'reset' | 'disable' | 'roles'; user: User; roles: Role[] };

/** Who may work here, and as what. */
@customElement('sk-users-page')
export class UsersPage extends View {
  @state() private page: Page<User> | undefined;
  @state() private number = 1;
  @state() private username = '';
  @state() private displayName = '';
  @state() private roles: Role[] = [];
  @state() private tried = false;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;
  @state() private listProblem: ApiProblem | undefined;
  @state() private question: Question | undefined;
  @state() private secret: NewPassword | undefined;
  @state() private copied = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    const page = await this.attempt(users.list(this.number, SIZE), (problem) => (this.listProblem = problem));
    if (page) this.page = page;
  }

  override render(): TemplateResult {
    const words = t().users;
    return html`<div class="page">
      <div class="page-head">
        <h1>${words.title}</h1>
        <span class="push"
          >${this.page
            ? pager(this.number, SIZE, this.page.total, (number) => {
                this.number = number;
                void this.#load();
              })
            : nothing}</span
        >
      </div>
      <div class="columns narrow">
        ${this.#form()}
        <div class="stack">
          ${problemBox(this.listProblem, [], () => {
            this.listProblem = undefined;
            void this.#load();
          })}
          ${this.page ? this.#list(this.page) : this.listProblem ? nothing : loading()}
        </div>
      </div>
      ${this.#secretDialog()} ${this.#questionDialog()}
    </div>`;
  }

  #form(): TemplateResult {
    const words = t().users;
    const cause = (name: string) => this.problem?.causeOf(name);
    return html`<form class="panel" @submit=${this.#create}>
      <header><h2>${words.create}</h2></header>
      <div class="panel-body">
        ${problemBox(this.problem, ['username', 'display_name', 'roles'])}
        ${textField({
          name: 'username', label: words.username, hint: words.usernameHint, value: this.username, required: true,
          cause: cause('username'), onInput: (value) => (this.username = value),
        })}
        ${textField({
          name: 'display-name', label: words.displayName, value: this.displayName, required: true,
          cause: cause('display_name'), onInput: (value) => (this.displayName = value),
        })}
        <fieldset>
          <legend>${words.roles}</legend>
          ${this.#roleFields(this.roles, (roles) => (this.roles = roles))}
          ${cause('roles') || (this.tried && this.roles.length === 0)
            ? html`<small class="field-error" role="alert">${cause('roles') ?? words.noRole}</small>`
            : nothing}
        </fieldset>
        <wa-button variant="brand" type="submit" ?loading=${this.busy}>${words.submit}</wa-button>
      </div>
    </form>`;
  }

  #roleFields(chosen: Role[], onChange: (roles: Role[]) => void): TemplateResult[] {
    return ROLES.map((role) =>
      checkField({
        name: `role-${role}`,
        label: t().roles[role],
        hint: t().users.rolesHint[role],
        checked: chosen.includes(role),
        onChange: (checked) => onChange(checked ? [...chosen, role] : chosen.filter((one) => one !== role)),
      }),
    );
  }

  #list(page: Page<User>): TemplateResult {
    const words = t().users;
    return html`<section class="panel table-wrap">
      <table class="list">
        <thead>
          <tr>
            <th>${words.displayName}</th>
            <th>${words.roles}</th>
            <th>${words.state}</th>
            <th>${words.created}</th>
            <th><span class="visually-hidden">${t().actions.more}</span></th>
          </tr>
        </thead>
        <tbody>
          ${page.items.map((one) => this.#row(one))}
        </tbody>
      </table>
    </section>`;
  }

  #row(one: User): TemplateResult {
    const words = t().users;
    const own = one.id === self.value?.id;
    const ask = (kind: Question['kind']) => () => (this.question = { kind, user: one, roles: [...one.roles] });
    return html`<tr>
      <td>
        <span class="name">${one.display_name}</span>${own ? html` <small>(${words.self})</small>` : nothing}<br /><small
          class="mono"
          >${one.username}</small
        >
      </td>
      <td>${one.roles.map((role) => t().roles[role]).join(', ') || '–'}</td>
      <td>
        <span class="mark ${one.disabled ? 'mark-failed' : 'mark-succeeded'}">${one.disabled ? words.disabled : words.active}</span>
        ${one.must_change_password ? html`<br /><small>${words.mustChange}</small>` : nothing}
      </td>
      <td>${one.created_at ? time(one.created_at) : '–'}</td>
      <td>
        <div class="row end" role="group" aria-label=${words.actionsOf(one.display_name)}>
          <button class="plain" @click=${ask('roles')}>${words.editRoles}</button>
          <button class="plain" @click=${ask('reset')}>${words.reset}</button>
          <button
            class="plain"
            ?disabled=${own}
            @click=${one.disabled ? () => this.#change(one, { disabled: false }) : ask('disable')}
          >
            ${one.disabled ? words.enable : words.disable}
          </button>
        </div>
      </td>
    </tr>`;
  }

  #create = async (event: Event) => {
    event.preventDefault();
    this.tried = true;
    if (this.busy || this.roles.length === 0) return;
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(
      users.create({ username: this.username.trim(), display_name: this.displayName.trim(), roles: this.roles }),
      (problem) => (this.problem = problem),
    );
    this.busy = false;
    if (!made) return;
    this.secret = made;
    this.username = this.displayName = '';
    this.roles = [];
    this.tried = false;
    await this.#load();
  };

  async #change(one: User, change: { roles?: Role[]; disabled?: boolean }): Promise<void> {
    this.listProblem = undefined;
    this.question = undefined;
    await this.attempt(users.change(one.id, change), (problem) => (this.listProblem = problem));
    await this.#load();
  }

  async #reset(one: User): Promise<void> {
    this.listProblem = undefined;
    this.question = undefined;
    this.secret = await this.attempt(users.resetPassword(one.id), (problem) => (this.listProblem = problem));
    await this.#load();
  }

  #secretDialog(): TemplateResult {
    const words = t().users;
    const { secret } = this;
    return dialog({
      label: words.passwordTitle,
      open: secret !== undefined,
      onClose: () => {
        this.secret = undefined;
        this.copied = false;
      },
      body: html`<p>${words.passwordText(secret?.user.display_name ?? '')}</p>
        <div class="secret">
          <code data-test="one-time-password">${secret?.one_time_password}</code>
          <wa-button size="s" appearance="outlined" @click=${this.#copy}
            >${icon(this.copied ? 'check' : 'copy')} ${this.copied ? t().actions.copied : t().actions.copy}</wa-button
          >
        </div>`,
      footer: html`<wa-button variant="brand" data-dialog="close">${t().actions.close}</wa-button>`,
    });
  }

  #copy = async () => {
    await navigator.clipboard.writeText(this.secret?.one_time_password ?? '').then(
      () => (this.copied = true),
      // Without leave to write the clipboard the password still stands there to be selected.
      () => undefined,
    );
  };

  #questionDialog(): TemplateResult {
    const words = t().users;
    const { question } = this;
    const name = question?.user.display_name ?? '';
    const kind = question?.kind;
    const label = kind === 'reset' ? words.resetTitle : kind === 'disable' ? words.disableTitle : words.rolesOf(name);
    const act = () => {
      if (!question) return;
      if (question.kind === 'reset') void this.#reset(question.user);
      else if (question.kind === 'disable') void this.#change(question.user, { disabled: true });
      else void this.#change(question.user, { roles: question.roles });
    };
    return dialog({
      label,
      open: question !== undefined,
      onClose: () => (this.question = undefined),
      body:
        kind === 'roles' && question
          ? html`<fieldset>
              ${this.#roleFields(question.roles, (roles) => (this.question = { ...question, roles }))}
            </fieldset>`
          : html`<p>${kind === 'reset' ? words.resetText(name) : words.disableText(name)}</p>`,
      footer: html`<wa-button appearance="outlined" data-dialog="close">${t().actions.cancel}</wa-button>
        <wa-button variant=${kind === 'disable' ? 'danger' : 'brand'} @click=${act}
          >${kind === 'reset' ? words.reset : kind === 'disable' ? words.disable : t().actions.save}</wa-button
        >`,
    });
  }
}
