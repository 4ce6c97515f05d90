import { html, type TemplateResult } from 'lit';

import type { Run } from '../../api/types';
import { t } from '../../i18n';

/** How the adapter's validation loss differs from the base model's; below zero is better. */
export function change(run: Run): number | undefined {
  const { validation_loss_before: before, validation_loss_after: after } = run;
  return before === null || after === null || before === 0 ? undefined : after / before - 1;
}

export function changeMark(run: Run): TemplateResult {
  const by = change(run);
  if (by === undefined) return html`–`;
  const percent = (Math.abs(by) * 100).toFixed(1);
  if (percent === '0.0') return html`<span class="mark">${t().runs.same}</span>`;
  return html`<span class="mark ${by < 0 ? 'mark-succeeded' : 'mark-failed'}"
    >${by < 0 ? t().runs.better(percent) : t().runs.worse(percent)}</span
  >`;
}
