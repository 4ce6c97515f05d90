/** Form fields: one look, one way to show what the server said about a field. */
import '@awesome.me/webawesome/dist/components/checkbox/checkbox.js';
import '@awesome.me/webawesome/dist/components/input/input.js';
import '@awesome.me/webawesome/dist/components/option/option.js';
import '@awesome.me/webawesome/dist/components/select/select.js';
import '@awesome.me/webawesome/dist/components/textarea/textarea.js';
import { html, nothing, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';

interface Field {
  name: string;
  label: string;
  hint?: string;
  /** Why the value was refused; takes the hint's place. */
  cause?: string;
  disabled?: boolean;
  required?: boolean;
}

interface TextField extends Field {
  value: string;
  onInput: (value: string) => void;
  type?: 'text' | 'password' | 'search' | 'date' | 'datetime-local';
  autocomplete?: string;
  placeholder?: string;
}

interface NumberField extends Field {
  value: number | null;
  onInput: (value: number | null) => void;
  min?: number;
  max?: number;
  step?: number | 'any';
}

interface SelectField<T extends string> extends Field {
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

const valueOf = (event: Event) => String((event.target as HTMLInputElement).value ?? '');

function hint(field: Field): TemplateResult | typeof nothing {
  if (field.cause) return html`<span slot="hint" class="field-error" role="alert">${field.cause}</span>`;
  return field.hint ? html`<span slot="hint">${field.hint}</span>` : nothing;
}

const marked = (field: Field) => (field.cause ? 'field invalid' : 'field');

export function textField(field: TextField): TemplateResult {
  return html`<wa-input
    class=${marked(field)}
    size="s"
    name=${field.name}
    label=${field.label}
    type=${field.type ?? 'text'}
    autocomplete=${field.autocomplete ?? 'off'}
    placeholder=${field.placeholder ?? ''}
    ?password-toggle=${field.type === 'password'}
    ?disabled=${field.disabled ?? false}
    ?required=${field.required ?? false}
    .value=${live(field.value)}
    @input=${(event: Event) => field.onInput(valueOf(event))}
    >${hint(field)}</wa-input
  >`;
}

export function numberField(field: NumberField): TemplateResult {
  return html`<wa-input
    class=${marked(field)}
    size="s"
    type="number"
    without-spin-buttons
    name=${field.name}
    label=${field.label}
    min=${field.min ?? nothing}
    max=${field.max ?? nothing}
    step=${field.step ?? 1}
    ?disabled=${field.disabled ?? false}
    ?required=${field.required ?? false}
    .value=${live(field.value === null ? '' : String(field.value))}
    @input=${(event: Event) => {
      const text = valueOf(event);
      field.onInput(text === '' ? null : Number(text));
    }}
    >${hint(field)}</wa-input
  >`;
}

export function areaField(field: TextField & { rows?: number; maxLength?: number }): TemplateResult {
  return html`<wa-textarea
    class=${marked(field)}
    size="s"
    name=${field.name}
    label=${field.label}
    rows=${field.rows ?? 2}
    resize="auto"
    maxlength=${field.maxLength ?? nothing}
    placeholder=${field.placeholder ?? ''}
    ?disabled=${field.disabled ?? false}
    ?required=${field.required ?? false}
    .value=${live(field.value)}
    @input=${(event: Event) => field.onInput(valueOf(event))}
    >${hint(field)}</wa-textarea
  >`;
}

export function selectField<T extends string>(field: SelectField<T>): TemplateResult {
  return html`<wa-select
    class=${marked(field)}
    size="s"
    name=${field.name}
    label=${field.label}
    ?disabled=${field.disabled ?? false}
    .value=${live(field.value)}
    @change=${(event: Event) => field.onChange(valueOf(event) as T)}
    >${hint(field)}${field.options.map(
      (option) => html`<wa-option value=${option.value}>${option.label}</wa-option>`,
    )}</wa-select
  >`;
}

export function checkField(field: Field & { checked: boolean; onChange: (checked: boolean) => void }): TemplateResult {
  return html`<wa-checkbox
    class=${marked(field)}
    size="s"
    name=${field.name}
    ?disabled=${field.disabled ?? false}
    .checked=${live(field.checked)}
    @change=${(event: Event) => field.onChange((event.target as HTMLInputElement).checked)}
    >${field.label}${hint(field)}</wa-checkbox
  >`;
}
