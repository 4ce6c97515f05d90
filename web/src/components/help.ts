import { html, type TemplateResult } from 'lit';

import { t } from '../i18n';
import { singleKeys } from '../session/preferences';
import { dialog } from './dialog';
import { checkField } from './fields';

/** Whether a key press is meant for a field, and not for the page. */
export function typing(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

/** Opens the help at `?`, wherever nobody is typing. */
export function listenForHelp(open: () => void, signal: AbortSignal): void {
  addEventListener(
    'keydown',
    (event) => {
      if (event.key !== '?' || typing(event) || !singleKeys.value) return;
      event.preventDefault();
      open();
    },
    { signal },
  );
}

/** The keys and what they do. */
export function helpDialog(open: boolean, onClose: () => void): TemplateResult {
  const { help } = t();
  const rows = (keys: readonly { keys: string; does: string }[]) =>
    keys.map(
      (row) => html`<div>
        <dt>${row.keys.split(' ').map((key) => html`<kbd>${key}</kbd> `)}</dt>
        <dd>${row.does}</dd>
      </div>`,
    );
  return dialog({
    label: t().app.shortcuts,
    open,
    onClose,
    wide: true,
    body: html`<div class="help">
      <section><h3>${help.image}</h3><dl class="keys">${rows(help.imageKeys)}</dl></section>
      <section>
        <h3>${help.review}</h3><dl class="keys">${rows(help.reviewKeys)}</dl>
        <h3>${help.mouse}</h3><dl class="keys">${rows(help.mouseKeys)}</dl>
      </section>
      ${checkField({
        name: 'single-keys',
        label: help.single,
        hint: help.singleHint,
        checked: singleKeys.value,
        onChange: (checked) => (singleKeys.value = checked),
      })}
    </div>`,
  });
}
