import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { runs } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import { follow } from '../../api/sse';
import type { Run, TrainEvent } from '../../api/types';
import { icon } from '../../components/icon';
import '../../components/loss-plot';
import { empty, facts, loading, problemBox, progressBar, stateMark } from '../../components/parts';
import { View } from '../../components/view';
import { duration, loss, t, time } from '../../i18n';
import { curve, secondsLeft } from './loss';
import { change, changeMark } from './verdict';

/** The list of events is fetched anew at most this often while the run is on. */
const METRICS_EVERY = 1500;

/** One fine-tune: its loss as it learns, its time left, and what may be done with it. */
@customElement('sk-run-page')
export class RunPage extends View {
  @property() runId = '';
  @state() private run: Run | undefined;
  @state() private events: TrainEvent[] = [];
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;
  #fetched = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#open();
  }

  async #open(): Promise<void> {
    await this.#load();
    if (!this.#on()) return;
    const watch = {
      onEvent: ({ data }: { data: string }) => {
        const { state } = JSON.parse(data) as { state: Run['state'] };
        if (performance.now() - this.#fetched > METRICS_EVERY || state !== this.run?.state) void this.#load();
      },
      onBreak: () => void this.#load(),
    };
    await this.attempt(follow(`/runs/${this.runId}/events`, watch, this.leaving), (problem) => (this.problem = problem));
    if (!this.leaving.aborted) await this.#load();
  }

  #on(): boolean {
    return this.run?.state === 'queued' || this.run?.state === 'running';
  }

  async #load(): Promise<void> {
    this.#fetched = performance.now();
    const got = await this.attempt(
      Promise.all([runs.get(this.runId), runs.metrics(this.runId)]),
      (problem) => (this.problem = problem),
    );
    if (got) [this.run, this.events] = got;
  }

  override render(): TemplateResult {
    const words = t().runs;
    const { run } = this;
    return html`<div class="page">
      <div class="page-head">
        <a class="back" href="/runs">${icon('arrowLeft')}${words.title}</a>
        <h1>${run?.name ?? ''}</h1>
        ${run ? stateMark(run.state) : nothing}
        <span class="push row">
          ${run && this.#on()
            ? html`<wa-button size="s" appearance="outlined" @click=${this.#act(() => runs.cancel(this.runId))}>${words.cancel}</wa-button>`
            : nothing}
          ${run?.state === 'succeeded' && !run.promoted_at
            ? html`<wa-button size="s" variant="brand" ?loading=${this.busy} @click=${this.#act(() => runs.promote(this.runId))}
                >${icon('rocket')} ${words.promote}</wa-button
              >`
            : nothing}
        </span>
      </div>
      ${problemBox(this.problem, [], () => void this.#open())}
      ${run ? this.#body(run) : this.problem ? nothing : loading()}
    </div>`;
  }

  #body(run: Run): TemplateResult {
    const words = t().runs;
    const lines = curve(run.name, this.events);
    const drawn = lines.training.length + lines.validation.length > 0;
    return html`${this.#notices(run)}
      <div class="columns">
        <div class="stack">
          ${this.#on() ? this.#progress(run) : nothing}
          <section class="panel">
            <header><h2>${words.validation}</h2><span class="push">${changeMark(run)}</span></header>
            <div class="panel-body">
              ${facts([
                [words.before, html`<span class="mono">${loss(run.validation_loss_before)}</span>`],
                [words.after, html`<span class="mono">${loss(run.validation_loss_after)}</span>`],
              ])}
            </div>
          </section>
          <section class="panel">
            <header><h2>${words.config}</h2></header>
            <div class="panel-body">
              ${facts([
                [words.dataset, html`<a href=${`/datasets/${run.dataset_id}`}>${t().actions.open}</a>`],
                [words.method, run.config.method],
                [words.steps, run.config.steps],
                [words.batch, run.config.batch_size],
                [words.rate, run.config.learning_rate],
                [words.rank, run.config.rank],
                [words.alpha, run.config.alpha],
                [words.seed, run.config.seed],
                [t().data.at, time(run.created_at)],
              ])}
            </div>
          </section>
        </div>
        <section class="panel">
          <header><h2>${words.loss}</h2></header>
          <div class="panel-body">
            ${drawn
              ? html`<sk-loss-plot .curves=${[lines]}></sk-loss-plot>`
              : empty('activity', run.state === 'queued' ? words.waiting : words.loss, words.noLoss)}
          </div>
        </section>
      </div>`;
  }

  #progress(run: Run): TemplateResult {
    const { step, total } = run.progress;
    const left = secondsLeft(this.events);
    return html`<section class="panel">
      <div class="panel-body" role="status" data-test="run-progress">
        <span>${run.state === 'queued' ? t().runs.waiting : t().units.step(step, total || run.config.steps)}</span>
        ${progressBar(step, total || run.config.steps, t().states.running)}
        ${left !== undefined && run.state === 'running' ? html`<small>${t().units.left(duration(left))}</small>` : nothing}
      </div>
    </section>`;
  }

  #notices(run: Run): TemplateResult | typeof nothing {
    const words = t().runs;
    if (run.state === 'failed') {
      return html`<div class="notice bad" role="alert">${icon('circleX')}<span><strong>${words.failed}.</strong> ${run.error}</span></div>`;
    }
    if (run.promoted_at) {
      return html`<div class="notice good" role="status">${icon('rocket')}${words.promotedAt(time(run.promoted_at))}</div>`;
    }
    if (run.state !== 'succeeded') return nothing;
    const worse = (change(run) ?? 0) > 0;
    return html`<div class="notice ${worse ? 'bad' : ''}">${icon('circleAlert')}${worse ? words.worseHint : words.promoteHint}</div>`;
  }

  #act(work: () => Promise<Run>) {
    return async () => {
      if (this.busy) return;
      this.busy = true;
      this.problem = undefined;
      await this.attempt(work(), (problem) => (this.problem = problem));
      this.busy = false;
      await this.#load();
    };
  }
}
