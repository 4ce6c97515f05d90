import { html, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { generations } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Generation, GenerationRequest, Page } from '../../api/types';
import { empty, jobProgress, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { t, time } from '../../i18n';
import { go } from '../../router';
import './generation-view';
import { promptLine } from './prompt-facts';
import './request-form';

const RECENT = 12;

/** Request on the left; its images on the right; the earlier requests below. */
@customElement('sk-request-page')
export class RequestPage extends View {
  @property() generationId: string | undefined;
  @state() private recent: Page<Generation> | undefined;
  @state() private start: GenerationRequest | undefined;
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.recent = await this.attempt(generations.list(1, RECENT), (problem) => (this.problem = problem));
  }

  override render(): TemplateResult {
    const words = t().request;
    const id = this.generationId ?? this.recent?.items[0]?.id;
    return html`<div class="page">
      <h1 class="visually-hidden">${words.title}</h1>
      <div class="columns">
        <sk-request-form
          .start=${this.start}
          @requested=${(event: CustomEvent<Generation>) => {
            go(`/requests/${event.detail.id}`);
            // Whoever asked stands at the form's end; the images appear beside its beginning.
            window.scrollTo({ top: 0 });
            void this.#load();
          }}
        ></sk-request-form>
        <div class="stack">
          ${problemBox(this.problem)}
          ${id
            ? html`<sk-generation
                .generationId=${id}
                @ended=${() => void this.#load()}
                @again=${(event: CustomEvent<GenerationRequest>) => (this.start = { ...event.detail })}
              ></sk-generation>`
            : this.recent
              ? html`<section class="panel">${empty('scan', words.noneTitle, words.noneText)}</section>`
              : ''}
          ${this.#list(id)}
        </div>
      </div>
    </div>`;
  }

  #list(current: string | undefined): TemplateResult {
    if (!this.recent || this.recent.items.length === 0) return html``;
    return html`<section class="panel">
      <header><h2>${t().request.recent}</h2></header>
      <div class="table-wrap">
        <table class="list">
          <tbody>
            ${this.recent.items.map(
              (one) => html`<tr class=${one.id === current ? 'current' : ''}>
                <td><a href=${`/requests/${one.id}`}>${promptLine(one.request)}</a></td>
                <td class="number">${one.request.count ?? 1}</td>
                <td>${jobProgress(one)}</td>
                <td><small>${time(one.created_at)}</small></td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }
}
