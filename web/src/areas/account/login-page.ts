import { html, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import type { ApiProblem } from '../../api/problem';
import { textField } from '../../components/fields';
import { icon } from '../../components/icon';
import { problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t } from '../../i18n';
import { logIn } from '../../session/session';
import { emblem, looks } from '../../topbar';

@customElement('sk-login-page')
export class LoginPage extends View {
  @state() private username = '';
  @state() private password = '';
  @state() private problem: ApiProblem | undefined;
  @state() private busy = false;

  override render(): TemplateResult {
    const words = t().login;
    const wrong = this.problem?.kind === 'unauthenticated';
    return html`<div class="gate">
      <div class="gate-tools">${looks()}</div>
      <form class="gate-card" @submit=${this.#submit}>
        <div class="gate-brand">${emblem}<div><h1>${t().app.name}</h1><p>${t().app.tagline}</p></div></div>
        ${wrong
          ? html`<div class="problem" role="alert">${icon('circleAlert')}<p>${words.wrong}</p></div>`
          : problemBox(this.problem, ['username', 'password'])}
        ${textField({
          name: 'username',
          label: words.username,
          value: this.username,
          autocomplete: 'username',
          cause: this.problem?.causeOf('username'),
          onInput: (value) => (this.username = value),
        })}
        ${textField({
          name: 'password',
          label: words.password,
          value: this.password,
          type: 'password',
          autocomplete: 'current-password',
          cause: this.problem?.causeOf('password'),
          onInput: (value) => (this.password = value),
        })}
        <wa-button variant="brand" type="submit" ?loading=${this.busy}>${words.submit}</wa-button>
        <small>${words.hint}</small>
      </form>
    </div>`;
  }

  protected override async firstUpdated(): Promise<void> {
    const field = this.querySelector('wa-input');
    await field?.updateComplete;
    field?.focus();
  }

  #submit = async (event: Event) => {
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    this.problem = undefined;
    await this.attempt(logIn(this.username.trim(), this.password), (problem) => (this.problem = problem));
    this.password = this.problem ? this.password : '';
    this.busy = false;
  };
}
