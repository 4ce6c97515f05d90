import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import type { ApiProblem } from '../../api/problem';
import { textField } from '../../components/fields';
import { icon } from '../../components/icon';
import { problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t } from '../../i18n';
import { go, homeOf } from '../../router';
import { changePassword, user } from '../../session/session';

const SHORTEST = 12;

@customElement('sk-password-page')
export class PasswordPage extends View {
  @state() private current = '';
  @state() private next = '';
  @state() private again = '';
  @state() private tried = false;
  @state() private done = false;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;

  override render(): TemplateResult {
    const words = t().password;
    const forced = user.value?.must_change_password ?? false;
    const short = this.tried && this.next.length < SHORTEST ? words.short : undefined;
    const mismatch = this.tried && this.again !== this.next ? words.mismatch : undefined;
    return html`<div class="gate inside">
      <form class="gate-card" @submit=${this.#submit}>
        <h1>${words.title}</h1>
        ${forced ? html`<p>${words.forced}</p>` : nothing}
        ${this.done ? html`<div class="notice good" role="status">${icon('check')}${words.done}</div>` : nothing}
        ${problemBox(this.problem, ['current_password', 'new_password'])}
        ${textField({
          name: 'current-password',
          label: forced ? words.oneTime : words.current,
          type: 'password',
          autocomplete: 'current-password',
          value: this.current,
          cause: this.problem?.causeOf('current_password'),
          onInput: (value) => (this.current = value),
        })}
        ${textField({
          name: 'new-password',
          label: words.next,
          hint: words.nextHint,
          type: 'password',
          autocomplete: 'new-password',
          value: this.next,
          cause: short ?? this.problem?.causeOf('new_password'),
          onInput: (value) => (this.next = value),
        })}
        ${textField({
          name: 'new-password-again',
          label: words.again,
          type: 'password',
          autocomplete: 'new-password',
          value: this.again,
          cause: mismatch,
          onInput: (value) => (this.again = value),
        })}
        <wa-button variant="brand" type="submit" ?loading=${this.busy}>${words.submit}</wa-button>
      </form>
    </div>`;
  }

  #submit = async (event: Event) => {
    event.preventDefault();
    this.tried = true;
    if (this.busy || this.next.length < SHORTEST || this.next !== this.again) return;
    this.busy = true;
    this.problem = undefined;
    const forced = user.value?.must_change_password ?? false;
    await this.attempt(changePassword(this.current, this.next), (problem) => (this.problem = problem));
    this.busy = false;
    if (this.problem) return;
    this.current = this.next = this.again = '';
    this.tried = false;
    this.done = true;
    if (forced && user.value) go(homeOf(user.value.roles), true);
  };
}
