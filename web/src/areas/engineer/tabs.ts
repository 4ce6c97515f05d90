import { html, type TemplateResult } from 'lit';

import { t } from '../../i18n';

/** The two halves of the data area. */
export function dataTabs(current: 'uploads' | 'datasets'): TemplateResult {
  const words = t().data;
  const tab = (name: 'uploads' | 'datasets', label: string) =>
    html`<a class="tab" href=${`/${name}`} aria-current=${name === current ? 'page' : 'false'}>${label}</a>`;
  return html`<nav class="tabs" aria-label=${words.title}>${tab('datasets', words.sets)}${tab('uploads', words.uploads)}</nav>`;
}
