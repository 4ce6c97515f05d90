import '@awesome.me/webawesome/dist/components/dialog/dialog.js';
import { html, nothing, type TemplateResult } from 'lit';

interface Dialog {
  label: string;
  open: boolean;
  onClose: () => void;
  body: TemplateResult;
  footer?: TemplateResult;
  wide?: boolean;
}

/** A modal dialog: Escape and a click beside it close it. */
export function dialog(given: Dialog): TemplateResult {
  return html`<wa-dialog
    class=${given.wide ? 'wide' : ''}
    label=${given.label}
    light-dismiss
    ?open=${given.open}
    @wa-after-hide=${(event: Event) => {
      if (event.target === event.currentTarget) given.onClose();
    }}
  >
    ${given.open ? given.body : nothing}
    ${given.footer ? html`<div slot="footer" class="dialog-footer">${given.footer}</div>` : nothing}
  </wa-dialog>`;
}
