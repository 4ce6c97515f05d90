import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { uploads } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Dataset, Page, Upload } from '../../api/types';
import { empty, loading, pager, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';
import { go } from '../../router';
import './dataset-form';
import { dataTabs } from './tabs';
import './upload-zone';

const SIZE = 50;

/** What came in, and what is made of it. */
@customElement('sk-uploads-page')
export class UploadsPage extends View {
  @state() private page: Page<Upload> | undefined;
  @state() private number = 1;
  @state() private chosen = new Map<string, Upload>();
  @state() private problem: ApiProblem | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const page = await this.attempt(uploads.list(this.number, SIZE), (problem) => (this.problem = problem));
    if (page) this.page = page;
  }

  #choose(upload: Upload, chosen: boolean): void {
    const next = new Map(this.chosen);
    if (chosen) next.set(upload.id, upload);
    else next.delete(upload.id);
    this.chosen = next;
  }

  override render(): TemplateResult {
    const words = t().data;
    return html`<div class="page">
      <div class="page-head">
        <h1 class="visually-hidden">${words.uploads}</h1>
        ${dataTabs('uploads')}
        <span class="push"
          >${this.page
            ? pager(this.number, SIZE, this.page.total, (to) => {
                this.number = to;
                void this.#load();
              })
            : nothing}</span
        >
      </div>
      <div class="columns">
        <div class="stack">
          <sk-upload-zone
            @uploaded=${(event: CustomEvent<Upload>) => {
              this.#choose(event.detail, true);
              void this.#load();
            }}
          ></sk-upload-zone>
          <sk-dataset-form
            .chosen=${[...this.chosen.values()]}
            @made=${(event: CustomEvent<Dataset>) => go(`/datasets/${event.detail.id}`)}
          ></sk-dataset-form>
        </div>
        <div class="stack">
          ${problemBox(this.problem, [], () => void this.#load())}
          ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
        </div>
      </div>
    </div>`;
  }

  #list(page: Page<Upload>): TemplateResult {
    const words = t().data;
    if (page.items.length === 0) {
      return html`<section class="panel">${empty('upload', words.noUploadsTitle, words.noUploadsText)}</section>`;
    }
    return html`<section class="panel table-wrap">
      <table class="list">
        <thead>
          <tr>
            <th><span class="visually-hidden">${words.build}</span></th>
            <th>${words.name}</th>
            <th class="number">${words.radiographs}</th>
            <th>${words.at}</th>
          </tr>
        </thead>
        <tbody>
          ${page.items.map(
            (one) => html`<tr class=${this.chosen.has(one.id) ? 'current' : ''}>
              <td class="tick">
                <input
                  type="checkbox"
                  aria-label=${words.take(one.name)}
                  .checked=${this.chosen.has(one.id)}
                  @change=${(event: Event) => this.#choose(one, (event.target as HTMLInputElement).checked)}
                />
              </td>
              <td><a href=${`/uploads/${one.id}`}>${one.name}</a></td>
              <td class="number">
                ${number(one.radiograph_count)}
                ${one.pending_count > 0
                  ? html`<a class="mark mark-pending" href=${`/uploads/${one.id}`}
                      >${words.toDecide(number(one.pending_count))}</a
                    >`
                  : nothing}
              </td>
              <td>${time(one.created_at)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </section>`;
  }
}
