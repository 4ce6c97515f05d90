import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { runs } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Run } from '../../api/types';
import { icon } from '../../components/icon';
import '../../components/loss-plot';
import { empty, loading, problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { loss, t } from '../../i18n';
import { curve, type LossCurve } from './loss';
import { changeMark } from './verdict';

/** Several runs in one plot, with their configurations side by side. */
@customElement('sk-compare-page')
export class ComparePage extends View {
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private got: { run: Run; lines: LossCurve }[] | undefined;
  @state() private problem: ApiProblem | undefined;

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('query')) void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = undefined;
    const ids = (this.query.get('ids') ?? '').split(',').filter(Boolean);
    const one = async (id: string) => {
      const [run, events] = await Promise.all([runs.get(id), runs.metrics(id)]);
      return { run, lines: curve(run.name, events) };
    };
    this.got = await this.attempt(Promise.all(ids.map(one)), (problem) => (this.problem = problem));
  }

  override render(): TemplateResult {
    const words = t().runs;
    const { got } = this;
    return html`<div class="page">
      <div class="page-head">
        <a class="back" href="/runs">${icon('arrowLeft')}${words.title}</a>
        <h1>${words.compare}</h1>
      </div>
      ${problemBox(this.problem, [], () => void this.#load())}
      ${got
        ? got.length === 0
          ? html`<section class="panel">${empty('activity', words.compare, words.compareNone)}</section>`
          : html`<section class="panel"><div class="panel-body">
                <sk-loss-plot .curves=${got.map(({ lines }) => lines)}></sk-loss-plot>
              </div></section>
              ${this.#table(got.map(({ run }) => run))}`
        : this.problem
          ? nothing
          : loading()}
    </div>`;
  }

  #table(all: Run[]): TemplateResult {
    const words = t().runs;
    return html`<section class="panel table-wrap">
      <table class="list">
        <thead>
          <tr>
            <th>${words.name}</th><th class="number">${words.steps}</th><th class="number">${words.batch}</th>
            <th class="number">${words.rate}</th><th class="number">${words.rank}</th><th class="number">${words.alpha}</th>
            <th class="number">${words.before}</th><th class="number">${words.after}</th><th>${words.change}</th>
          </tr>
        </thead>
        <tbody>
          ${all.map(
            (run) => html`<tr>
              <td><a href=${`/runs/${run.id}`}>${run.name}</a></td>
              <td class="number">${run.config.steps}</td>
              <td class="number">${run.config.batch_size}</td>
              <td class="number">${run.config.learning_rate}</td>
              <td class="number">${run.config.rank}</td>
              <td class="number">${run.config.alpha}</td>
              <td class="number mono">${loss(run.validation_loss_before)}</td>
              <td class="number mono">${loss(run.validation_loss_after)}</td>
              <td>${changeMark(run)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </section>`;
  }
}
