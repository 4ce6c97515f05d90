import { html, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { datasets } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import type { Dataset, Upload } from '../../api/types';
import { areaField, numberField, textField } from '../../components/fields';
import { problemBox } from '../../components/parts';
import { View } from '../../components/view';
import { number, t } from '../../i18n';

/** Names a data set out of the chosen uploads. */
@customElement('sk-dataset-form')
export class DatasetForm extends View {
  @property({ attribute: false }) chosen: Upload[] = [];
  @state() private name = '';
  @state() private licence = '';
  @state() private attribution = '';
  @state() private percent: number | null = 15;
  @state() private seed: number | null = 0;
  @state() private busy = false;
  @state() private problem: ApiProblem | undefined;

  override render(): TemplateResult {
    const words = t().data;
    const radiographs = this.chosen.reduce((sum, upload) => sum + upload.radiograph_count, 0);
    const cause = (name: string) => this.problem?.causeOf(name);
    return html`<form class="panel" @submit=${this.#submit}>
      <header><h2>${words.build}</h2></header>
      <div class="panel-body">
        <small>${words.buildHint}</small>
        ${problemBox(this.problem, ['name', 'licence', 'attribution', 'validation_fraction', 'seed'])}
        <p class="chosen">
          ${this.chosen.length > 0 ? words.chosen(this.chosen.length, number(radiographs)) : words.chooseUploads}
        </p>
        ${textField({
          name: 'dataset-name', label: words.name, value: this.name, required: true, cause: cause('name'),
          onInput: (value) => (this.name = value),
        })}
        ${textField({
          name: 'licence', label: words.licence, hint: words.licenceHint, value: this.licence, required: true,
          cause: cause('licence'), onInput: (value) => (this.licence = value),
        })}
        ${areaField({
          name: 'attribution', label: words.attribution, hint: words.attributionHint, value: this.attribution,
          required: true, cause: cause('attribution'), onInput: (value) => (this.attribution = value),
        })}
        ${numberField({
          name: 'validation', label: words.validation, hint: words.validationHint, value: this.percent, min: 1, max: 90,
          step: 'any', required: true, cause: cause('validation_fraction'), onInput: (value) => (this.percent = value),
        })}
        ${numberField({
          name: 'dataset-seed', label: words.seed, value: this.seed, min: 0, max: Number.MAX_SAFE_INTEGER,
          cause: cause('seed'), onInput: (value) => (this.seed = value),
        })}
        <wa-button variant="brand" type="submit" ?disabled=${this.chosen.length === 0} ?loading=${this.busy}
          >${words.submit}</wa-button
        >
      </div>
    </form>`;
  }

  #submit = async (event: Event) => {
    event.preventDefault();
    if (this.busy || this.chosen.length === 0) return;
    this.busy = true;
    this.problem = undefined;
    const made = await this.attempt(
      datasets.create({
        name: this.name.trim(),
        upload_ids: this.chosen.map((upload) => upload.id),
        validation_fraction: (this.percent ?? 0) / 100,
        seed: this.seed ?? 0,
        licence: this.licence.trim(),
        attribution: this.attribution.trim(),
      }),
      (problem) => (this.problem = problem),
    );
    this.busy = false;
    if (made) this.dispatchEvent(new CustomEvent<Dataset>('made', { detail: made }));
  };
}
