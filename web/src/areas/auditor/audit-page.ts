import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { audit } from '../../api/calls';
import type { Query } from '../../api/client';
import type { ApiProblem } from '../../api/problem';
import { EXPORT_FORMS, type AuditEvent, type ExportForm, type Page, type Verification } from '../../api/types';
import { selectField, textField } from '../../components/fields';
import { icon } from '../../components/icon';
import { empty, facts, loading, pager, problemBox, save, short } from '../../components/parts';
import { View } from '../../components/view';
import { number, t, time } from '../../i18n';
import { setQuery } from '../../router';

const SIZE = 50;
const ANY = 'any';
const OUTCOMES = ['success', 'refused', 'failure'] as const;
const FIELDS = ['actor', 'action', 'object', 'outcome', 'from', 'to'] as const;
type Field = (typeof FIELDS)[number];

/** A local date and time of a field as an instant (RFC 3339). */
const instant = (text: string | null) => (text ? new Date(text).toISOString() : undefined);

/** The detail of an event as lines; it may come as JSON or as its text. */
function laidOut(detail: unknown): string {
  if (typeof detail !== 'string') return JSON.stringify(detail, null, 2);
  try {
    return JSON.stringify(JSON.parse(detail), null, 2);
  } catch {
    return detail;
  }
}

/** The audit log: search, look, verify, export. */
@customElement('sk-audit-page')
export class AuditPage extends View {
  /** The search stands in the address, so that it can be linked to. */
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private draft: Partial<Record<Field, string>> = {};
  @state() private page: Page<AuditEvent> | undefined;
  @state() private chosen: AuditEvent | undefined;
  @state() private verification: Verification | undefined;
  @state() private busy: 'verify' | 'export' | '' = '';
  @state() private form: ExportForm = 'csv';
  @state() private exported = false;
  @state() private problem: ApiProblem | undefined;

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('query')) return;
    this.draft = Object.fromEntries(FIELDS.map((field) => [field, this.query.get(field) ?? '']));
    void this.#load();
  }

  #search(): Query {
    const got = (field: Field) => this.query.get(field);
    return {
      actor: got('actor'), action: got('action'), object: got('object'), outcome: got('outcome'),
      from: instant(got('from')), to: instant(got('to')),
    };
  }

  get #number(): number {
    return Math.max(1, Number(this.query.get('page') ?? 1) || 1);
  }

  /** Only the newest search may fill the table, whichever answer comes last. */
  #turn = 0;

  async #load(): Promise<void> {
    const turn = ++this.#turn;
    this.problem = undefined;
    const page = await this.attempt(
      audit.events({ ...this.#search(), page: this.#number, page_size: SIZE }),
      (problem) => (this.problem = problem),
    );
    if (page && turn === this.#turn) this.page = page;
  }

  override render(): TemplateResult {
    const words = t().audit;
    return html`<div class="page">
      <div class="page-head">
        <h1>${words.title}</h1>
        <span class="push row">
          <wa-button size="s" appearance="outlined" ?loading=${this.busy === 'verify'} @click=${this.#verify}
            >${icon('link')} ${words.verify}</wa-button
          >
        </span>
      </div>
      <div role="status" class="stack">
        ${this.busy === 'verify' ? html`<div class="notice">${words.verifying}</div>` : this.#verdict()}
        ${this.exported ? html`<div class="notice good">${icon('check')}${words.exported}</div>` : nothing}
      </div>
      ${this.#searchForm()} ${this.#exportForm()} ${problemBox(this.problem, FIELDS, () => void this.#load())}
      <div class="audit-columns">
        ${this.page ? this.#list(this.page) : this.problem ? nothing : loading()}
        <aside class="panel">
          <header><h2>${words.detail}</h2></header>
          <div class="panel-body">${this.chosen ? this.#detail(this.chosen) : html`<small>${words.select}</small>`}</div>
        </aside>
      </div>
    </div>`;
  }

  #verdict(): TemplateResult | typeof nothing {
    const words = t().audit;
    const { verification } = this;
    if (!verification) return nothing;
    const broken = verification.first_broken;
    if (verification.intact || !broken) {
      return html`<div class="notice good">
        ${icon('shield')}
        <div>${words.intact(number(verification.checked))}<p>${words.checked}</p>${this.#signatures(verification)}</div>
      </div>`;
    }
    return html`<div class="notice bad">
      ${icon('circleAlert')}
      <div><strong>${words.broken(number(broken.sequence))}</strong> ${broken.cause}<p>${words.brokenNext}</p>${this.#signatures(verification)}</div>
    </div>`;
  }

  #signatures({ signatures }: Verification): TemplateResult {
    const words = t().audit;
    const { good, foreign, through, signed_at } = signatures;
    return html`<p>
      ${signed_at ? words.signed(number(good), number(through), time(signed_at, true)) : words.unsigned}
      ${foreign > 0 ? words.foreign(number(foreign)) : nothing} ${words.key}: <code>${signatures.key}</code>
    </p>`;
  }

  /** In which form what the search finds leaves, and what each is for. */
  #exportForm(): TemplateResult {
    const words = t().audit;
    const forms = Object.keys(EXPORT_FORMS) as ExportForm[];
    return html`<section class="panel audit-export">
      ${selectField({
        name: 'format', label: words.form, value: this.form, hint: words.formTexts[this.form],
        cause: this.problem?.causeOf('format'),
        options: forms.map((value) => ({ value, label: words.forms[value] })),
        onChange: (value) => (this.form = value),
      })}
      <span class="row">
        <wa-button size="s" appearance="outlined" ?loading=${this.busy === 'export'} @click=${this.#export}
          >${icon('download')} ${words.export}</wa-button
        >
        <wa-button size="s" appearance="plain" @click=${this.#publicKey}>${words.publicKey}</wa-button>
      </span>
      <small>${words.exportSearch}</small>
    </section>`;
  }

  #searchForm(): TemplateResult {
    const words = t().audit;
    const text = (name: Field, label: string, type: 'search' | 'datetime-local' = 'search', placeholder = '') =>
      textField({
        name, label, type, placeholder, value: this.draft[name] ?? '', cause: this.problem?.causeOf(name),
        onInput: (value) => (this.draft = { ...this.draft, [name]: value }),
      });
    return html`<form class="panel audit-search" @submit=${this.#submit}>
      ${text('actor', words.actor)}
      ${selectField({
        name: 'action', label: words.action, value: this.draft.action || ANY, cause: this.problem?.causeOf('action'),
        options: [{ value: ANY, label: words.any }, ...Object.entries(words.actions).map(([value, label]) => ({ value, label }))],
        onChange: (value) => (this.draft = { ...this.draft, action: value === ANY ? '' : value }),
      })}
      ${text('object', words.object, 'search', words.objectHint)}
      ${selectField({
        name: 'outcome', label: words.outcome, value: this.draft.outcome || ANY, cause: this.problem?.causeOf('outcome'),
        options: [{ value: ANY, label: words.any }, ...OUTCOMES.map((value) => ({ value, label: words.outcomes[value] }))],
        onChange: (value) => (this.draft = { ...this.draft, outcome: value === ANY ? '' : value }),
      })}
      ${text('from', words.from, 'datetime-local')} ${text('to', words.to, 'datetime-local')}
      <span class="row">
        <wa-button size="s" variant="brand" type="submit">${icon('search')} ${words.search}</wa-button>
        <wa-button size="s" appearance="plain" @click=${this.#clear}>${words.clear}</wa-button>
      </span>
    </form>`;
  }

  #list(page: Page<AuditEvent>): TemplateResult {
    const words = t().audit;
    if (page.items.length === 0) {
      return html`<section class="panel">${empty('shield', words.noneTitle, words.noneText)}</section>`;
    }
    return html`<section class="panel">
      <div class="table-wrap">
        <table class="list audit">
          <thead>
            <tr>
              <th class="number">${words.sequence}</th><th>${words.time}</th><th>${words.actor}</th>
              <th>${words.action}</th><th>${words.object}</th><th>${words.outcome}</th>
            </tr>
          </thead>
          <tbody>
            ${page.items.map((event) => this.#row(event))}
          </tbody>
        </table>
      </div>
      <footer class="list-foot">${pager(this.#number, SIZE, page.total, (to) => setQuery({ page: to }))}</footer>
    </section>`;
  }

  #row(event: AuditEvent): TemplateResult {
    const outcomes = t().audit.outcomes as Record<string, string>;
    const actions = t().audit.actions as Record<string, string>;
    const chosen = this.chosen?.sequence === event.sequence;
    return html`<tr
      class=${[chosen ? 'current' : '', this.verification?.first_broken?.sequence === event.sequence ? 'broken' : ''].join(' ')}
      @click=${() => (this.chosen = event)}
    >
      <td class="number">
        <button class="row-link mono" aria-pressed=${chosen ? 'true' : 'false'} @click=${() => (this.chosen = event)}>${event.sequence}</button>
      </td>
      <td class="nowrap">${time(event.recorded_at, true)}</td>
      <td>${event.actor_name || '–'}</td>
      <td>${actions[event.action] ?? event.action}</td>
      <td>${event.object_type} ${short(event.object_id)}</td>
      <td><span class="mark mark-${event.outcome}">${outcomes[event.outcome] ?? event.outcome}</span></td>
    </tr>`;
  }

  #detail(event: AuditEvent): TemplateResult {
    const words = t().audit;
    const roles = event.actor_roles.join(', ');
    return html`${facts([
        [words.sequence, event.sequence],
        [words.time, html`<span class="mono">${event.recorded_at}</span>`],
        [words.actor, event.actor_name],
        [words.roles, roles || '–'],
        [words.action, event.action],
        [words.object, html`${event.object_type} <code>${event.object_id}</code>`],
        [words.outcome, event.outcome],
        [words.source, event.source_address || '–'],
        [words.previousHash, html`<code>${event.previous_hash}</code>`],
        [words.hash, html`<code>${event.hash}</code>`],
      ])}
      ${event.detail ? html`<pre tabindex="0">${laidOut(event.detail)}</pre>` : nothing}`;
  }

  #submit = (event: Event) => {
    event.preventDefault();
    // The same search again finds what has come since.
    const same = FIELDS.every((field) => (this.query.get(field) ?? '') === (this.draft[field] ?? '')) && this.#number === 1;
    if (same) void this.#load();
    else setQuery({ ...this.draft, page: null });
  };

  #clear = () => {
    setQuery({ ...Object.fromEntries(FIELDS.map((field) => [field, null])), page: null });
  };

  #verify = async () => {
    this.busy = 'verify';
    this.problem = undefined;
    this.verification = await this.attempt(audit.verify(), (problem) => (this.problem = problem));
    this.busy = '';
    await this.#load();
  };

  #export = async () => {
    this.busy = 'export';
    this.exported = false;
    const blob = await this.attempt(audit.export(this.form, this.#search()), (problem) => (this.problem = problem));
    this.busy = '';
    if (!blob) return;
    save(blob, `skiagraph-audit-${new Date().toISOString().slice(0, 10)}.${EXPORT_FORMS[this.form]}`);
    this.exported = true;
  };

  #publicKey = async () => {
    this.problem = undefined;
    const blob = await this.attempt(audit.publicKey(), (problem) => (this.problem = problem));
    if (blob) save(blob, 'skiagraph-audit-public-key.pem');
  };
}
