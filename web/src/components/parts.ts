/** Small parts that many pages share, as templates. */
import '@awesome.me/webawesome/dist/components/button/button.js';
import '@awesome.me/webawesome/dist/components/spinner/spinner.js';
import { html, nothing, type TemplateResult } from 'lit';

import type { ApiProblem, FieldError } from '../api/problem';
import type { Job, ReviewState, State } from '../api/types';
import { t } from '../i18n';
import { icon, type IconName } from './icon';

/** What went wrong and what to do next. `known`: fields that show their own cause. */
export function problemBox(
  problem: ApiProblem | undefined,
  known: readonly string[] = [],
  retry?: () => void,
): TemplateResult | typeof nothing {
  if (!problem) return nothing;
  const words = t().problems;
  const { kind } = problem;
  const next = kind === 'rate_limited' ? words.rate_limited(problem.retryAfter) : words[kind];
  const rest: FieldError[] = problem.besides(known);
  const detail = problem.document.detail;
  return html`<div class="problem" role="alert">
    ${icon('circleAlert')}
    <div>
      <strong>${words.titles[kind]}</strong>${detail ? html`<span class="problem-detail">${detail}</span>` : nothing}
      ${rest.length > 0
        ? html`<ul>
            ${rest.map((error) => html`<li><code>${error.field}</code> ${error.cause}</li>`)}
          </ul>`
        : nothing}
      <p>${next}</p>
      ${retry
        ? html`<wa-button size="s" appearance="outlined" @click=${retry}>${t().actions.retry}</wa-button>`
        : nothing}
    </div>
  </div>`;
}

/** What a list shows when it holds nothing: why, and the next step. */
export function empty(name: IconName, title: string, text: string, action?: TemplateResult): TemplateResult {
  return html`<div class="empty">
    ${icon(name)}
    <h3>${title}</h3>
    <p>${text}</p>
    ${action ?? nothing}
  </div>`;
}

export function loading(): TemplateResult {
  return html`<div class="loading" role="status"><wa-spinner></wa-spinner><span>${t().app.loading}</span></div>`;
}

export function stateMark(state: State): TemplateResult {
  return html`<span class="mark mark-${state}">${t().states[state] ?? state}</span>`;
}

export function reviewMark(state: ReviewState): TemplateResult {
  return html`<span class="mark mark-${state}">${t().review.states[state] ?? state}</span>`;
}

/** A bar that says how far work has come. */
export function progressBar(step: number, total: number, label: string): TemplateResult {
  const share = total > 0 ? Math.min(1, step / total) : 0;
  return html`<div
    class="bar"
    role="progressbar"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax=${total}
    aria-valuenow=${step}
  >
    <div style="inline-size:${(share * 100).toFixed(1)}%"></div>
  </div>`;
}

/** A job's state; its bar while it runs. */
export function jobProgress(job: Job): TemplateResult {
  if (job.state !== 'running') return stateMark(job.state);
  const { step, total } = job.progress;
  return html`<span class="job">${progressBar(step, total, t().states.running)}
    <small>${total > 0 ? `${Math.floor((100 * step) / total)} %` : t().states.running}</small></span>`;
}

/** The steps through a list's pages. */
export function pager(page: number, size: number, total: number, onPage: (page: number) => void): TemplateResult {
  if (total === 0) return html``;
  const first = (page - 1) * size + 1;
  const last = Math.min(page * size, total);
  const step = (name: IconName, label: string, to: number, off: boolean) =>
    html`<button class="plain" ?disabled=${off} aria-label=${label} title=${label} @click=${() => onPage(to)}>
      ${icon(name)}
    </button>`;
  return html`<nav class="pager">
    <span>${t().pages.of(first, last, total)}</span>
    ${step('chevronLeft', t().pages.previous, page - 1, page <= 1)}
    ${step('chevronRight', t().pages.next, page + 1, last >= total)}
  </nav>`;
}

/** A list of names and values. */
export function facts(rows: readonly (readonly [string, unknown] | undefined)[]): TemplateResult {
  return html`<dl class="facts">
    ${rows.map((row) => (row ? html`<div><dt>${row[0]}</dt><dd>${row[1] ?? '–'}</dd></div>` : nothing))}
  </dl>`;
}

/** Counts by name, as bars with their numbers. */
export function countBars(title: string, counts: readonly (readonly [string, number])[]): TemplateResult {
  const most = Math.max(1, ...counts.map(([, count]) => count));
  return html`<table class="counts">
    <caption>${title}</caption>
    <tbody>
      ${counts.map(
        ([name, count]) => html`<tr>
          <th scope="row">${name}</th>
          <td class="count-bar"><span style="inline-size:${((100 * count) / most).toFixed(1)}%"></span></td>
          <td class="count">${count}</td>
        </tr>`,
      )}
    </tbody>
  </table>`;
}

/** The first part of a long identifier; the whole of it as its title. */
export function short(text: string | null | undefined, length = 8): TemplateResult {
  if (!text) return html`–`;
  return html`<code title=${text}>${text.length > length ? `${text.slice(0, length)}…` : text}</code>`;
}

/** Hands a file to the browser to be kept. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
