import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { keyed } from 'lit/directives/keyed.js';

import { icon } from './components/icon';
import { loading } from './components/parts';
import { View } from './components/view';
import { helpDialog, listenForHelp } from './components/help';
import { t } from './i18n';
import { areasOf, AREAS, go, homeOf, route, type PageName, type Route } from './router';
import { theme } from './session/preferences';
import { user } from './session/session';
import { topBar } from './topbar';

interface Entry {
  load: () => Promise<unknown>;
  render: (route: Route) => TemplateResult;
}

/** Every page is loaded when it is first shown. */
const PAGES: Partial<Record<PageName, Entry>> = {
  login: { load: () => import('./areas/account/login-page'), render: () => html`<sk-login-page></sk-login-page>` },
  password: {
    load: () => import('./areas/account/password-page'),
    render: () => html`<sk-password-page></sk-password-page>`,
  },
  requests: {
    load: () => import('./areas/clinician/request-page'),
    render: ({ params }) => html`<sk-request-page .generationId=${params.id}></sk-request-page>`,
  },
  worklist: {
    load: () => import('./areas/clinician/worklist-page'),
    render: ({ query }) => html`<sk-worklist-page .query=${query}></sk-worklist-page>`,
  },
  reading: {
    load: () => import('./areas/clinician/reading-page'),
    render: ({ params }) => html`<sk-reading-page .imageId=${params.id}></sk-reading-page>`,
  },
  transfers: {
    load: () => import('./areas/clinician/transfers-page'),
    render: () => html`<sk-transfers-page></sk-transfers-page>`,
  },
  uploads: {
    load: () => import('./areas/engineer/uploads-page'),
    render: () => html`<sk-uploads-page></sk-uploads-page>`,
  },
  upload: {
    load: () => import('./areas/engineer/upload-page'),
    render: ({ params }) => html`${keyed(params.id, html`<sk-upload-page .uploadId=${params.id}></sk-upload-page>`)}`,
  },
  datasets: {
    load: () => import('./areas/engineer/datasets-page'),
    render: () => html`<sk-datasets-page></sk-datasets-page>`,
  },
  dataset: {
    load: () => import('./areas/engineer/dataset-page'),
    render: ({ params }) => html`${keyed(params.id, html`<sk-dataset-page .datasetId=${params.id}></sk-dataset-page>`)}`,
  },
  runs: { load: () => import('./areas/engineer/runs-page'), render: () => html`<sk-runs-page></sk-runs-page>` },
  run: {
    load: () => import('./areas/engineer/run-page'),
    render: ({ params }) => html`${keyed(params.id, html`<sk-run-page .runId=${params.id}></sk-run-page>`)}`,
  },
  compare: {
    load: () => import('./areas/engineer/compare-page'),
    render: ({ query }) => html`<sk-compare-page .query=${query}></sk-compare-page>`,
  },
  audit: {
    load: () => import('./areas/auditor/audit-page'),
    render: ({ query }) => html`<sk-audit-page .query=${query}></sk-audit-page>`,
  },
  users: { load: () => import('./areas/admin/users-page'), render: () => html`<sk-users-page></sk-users-page>` },
  destinations: {
    load: () => import('./areas/admin/destinations-page'),
    render: () => html`<sk-destinations-page></sk-destinations-page>`,
  },
  verify: { load: () => import('./areas/verify/verify-page'), render: () => html`<sk-verify-page></sk-verify-page>` },
};

const loaded = new Set<PageName>();

/** The frame around every page: who may see what, the bar above, the page below. */
@customElement('sk-app')
export class App extends View {
  @state() private help = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.observe(route);
    this.observe(user);
    this.observe(theme);
    listenForHelp(() => (this.help = true), this.leaving);
  }

  protected override willUpdate(): void {
    const person = user.value;
    const { page, path, query } = route.value;
    if (person === undefined) return;
    if (person === null) {
      if (page === 'login') return;
      const back = page === 'home' || page === 'password' ? '' : `?to=${encodeURIComponent(path + location.search)}`;
      go(`/login${back}`, true);
    } else if (person.must_change_password) {
      if (page !== 'password') go('/password', true);
    } else if (page === 'login' || page === 'home') {
      const to = query.get('to');
      const home = homeOf(person.roles);
      // Only an address of this server's own: `//elsewhere` would lead away.
      go(to?.startsWith('/') && !to.startsWith('//') ? to : home, true);
    }
  }

  protected override updated(): void {
    const name = route.value.page;
    const area = AREAS.find((one) => one.pages.includes(name));
    document.title = area ? `${t().app[area.key]} · ${t().app.name}` : t().app.name;
  }

  override render(): TemplateResult {
    if (user.value === undefined) return loading();
    return html`
      <a class="skip" href="#content" @click=${this.#skip}>${t().app.skip}</a>
      <div class="frame">
        ${user.value ? topBar(() => (this.help = true)) : nothing}
        <main id="content" tabindex="-1">${this.#page()}</main>
      </div>
      ${helpDialog(this.help, () => (this.help = false))}
    `;
  }

  #skip = (event: Event) => {
    event.preventDefault();
    this.querySelector<HTMLElement>('#content')?.focus();
  };

  #page(): TemplateResult {
    const { page } = route.value;
    const roles = user.value?.roles ?? [];
    const area = AREAS.find((one) => one.pages.includes(page));
    if (user.value && area && !areasOf(roles).includes(area)) {
      return message(t().app.forbiddenTitle, t().app.forbiddenText);
    }
    const entry = PAGES[page];
    if (!entry) return message(t().app.missingTitle, t().app.missingText);
    if (!loaded.has(page)) {
      void entry.load().then(() => {
        loaded.add(page);
        this.requestUpdate();
      });
      return loading();
    }
    const none = roles.length === 0 && user.value && !user.value.must_change_password;
    return html`${none ? message(t().app.noRolesTitle, t().app.noRolesText) : nothing}${entry.render(route.value)}`;
  }
}

function message(title: string, text: string): TemplateResult {
  return html`<div class="page"><div class="empty">${icon('scan')}<h1>${title}</h1><p>${text}</p></div></div>`;
}
