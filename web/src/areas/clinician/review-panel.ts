import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { images } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Review, SyntheticImage, Verdict } from '../../api/types';
import { areaField } from '../../components/fields';
import { problemBox, reviewMark } from '../../components/parts';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { has } from '../../session/session';

const REASONS = ['anatomy', 'finding', 'artefact', 'view', 'demographics'] as const;
const REALISM = [1, 2, 3, 4, 5] as const;

/** The verdict on one image, and the verdicts before it. */
@customElement('sk-review-panel')
export class ReviewPanel extends View {
  @property({ attribute: false }) image!: SyntheticImage;
  @state() private realism: number | null = null;
  @state() private reason = '';
  @state() private history: Review[] = [];
  @state() private missing = false;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;

  protected override willUpdate(changed: Map<string, unknown>): void {
    const before = changed.get('image') as SyntheticImage | undefined;
    if (!changed.has('image')) return;
    if (before?.id !== this.image.id) {
      this.realism = null;
      this.reason = '';
      this.missing = false;
      this.problem = undefined;
      this.history = [];
    }
    if (has('clinician')) void this.#load();
  }

  async #load(): Promise<void> {
    const { id } = this.image;
    const page = await this.attempt(images.reviews(id), (problem) => (this.problem = problem));
    if (page && id === this.image.id) this.history = page.items;
  }

  /** Acts on a key of the reading view; whether it meant something here. */
  act(event: KeyboardEvent): boolean {
    if (!has('clinician') || event.ctrlKey || event.metaKey || event.altKey) return false;
    const key = event.key.toLowerCase();
    const realism = Number(key);
    if (realism >= 1 && realism <= 5) this.realism = realism;
    else if (key === 'e') void this.judge('release');
    else if (key === 'x') void this.judge('reject');
    else return false;
    return true;
  }

  /** Sends a verdict. A rejection without its reason asks for it instead. */
  async judge(verdict: Verdict): Promise<void> {
    if (this.busy) return;
    const reason = this.reason.trim();
    if (verdict === 'reject' && reason === '') {
      this.missing = true;
      await this.updateComplete;
      this.querySelector<HTMLElement>('wa-textarea')?.focus();
      return;
    }
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(
      images.review(this.image.id, { verdict, reason: reason || null, realism: this.realism }),
      (problem) => (this.problem = problem),
    );
    this.busy = false;
    if (made) this.dispatchEvent(new CustomEvent<Review>('judged', { detail: made }));
  }

  override render(): TemplateResult {
    const words = t().review;
    return html`<section class="panel">
      <header><h2>${words.title}</h2><span class="push">${reviewMark(this.image.review_state)}</span></header>
      <div class="panel-body">
        ${problemBox(this.problem, ['reason', 'realism'])}
        ${has('clinician') ? this.#form() : html`<small>${words.onlyClinicians}</small>`}
        ${has('clinician') ? this.#history() : nothing}
      </div>
    </section>`;
  }

  #form(): TemplateResult {
    const words = t().review;
    const cause = this.problem?.causeOf('reason');
    const missing = this.missing && this.reason.trim() === '' ? words.reasonNeeded : undefined;
    return html`<fieldset>
        <legend>${words.realism}</legend>
        <div class="scale" role="radiogroup" aria-label=${words.realism}>
          ${REALISM.map(
            (value) => html`<button
              class="chip"
              role="radio"
              aria-checked=${this.realism === value ? 'true' : 'false'}
              aria-label=${words.realismOf(value)}
              @click=${() => (this.realism = this.realism === value ? null : value)}
            >
              ${value}
            </button>`,
          )}
        </div>
        <small>${words.realismHint}</small>
      </fieldset>
      <div class="chips">
        ${REASONS.map(
          (name) => html`<button
            class="chip"
            aria-pressed=${this.reason === words.reasons[name] ? 'true' : 'false'}
            @click=${() => (this.reason = words.reasons[name])}
          >
            ${words.reasons[name]}
          </button>`,
        )}
      </div>
      ${areaField({
        name: 'reason',
        label: words.reason,
        hint: words.reasonHint,
        value: this.reason,
        cause: missing ?? cause,
        onInput: (value) => (this.reason = value),
      })}
      <div class="verdicts">
        <wa-button variant="brand" ?loading=${this.busy} @click=${() => this.judge('release')}
          >${words.release} <kbd slot="end">E</kbd></wa-button
        >
        <wa-button variant="danger" appearance="outlined" ?disabled=${this.busy} @click=${() => this.judge('reject')}
          >${words.reject} <kbd slot="end">X</kbd></wa-button
        >
      </div>`;
  }

  #history(): TemplateResult {
    const words = t().review;
    return html`<div>
      <h3 class="small-title">${words.history}</h3>
      ${this.history.length === 0
        ? html`<small>${words.none}</small>`
        : html`<ol class="history">
            ${this.history.map(
              (one) => html`<li>
                ${reviewMark(one.verdict === 'release' ? 'released' : 'rejected')}
                ${one.realism ? html`<span>${words.realismOf(one.realism)}</span>` : nothing}
                <small>${one.reviewer_name} · ${time(one.created_at)}</small>
                ${one.reason ? html`<p>${one.reason}</p>` : nothing}
              </li>`,
            )}
          </ol>`}
    </div>`;
  }
}
