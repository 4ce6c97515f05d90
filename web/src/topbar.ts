import { html, type TemplateResult } from 'lit';

import { icon, type IconName } from './components/icon';
import { language, t } from './i18n';
import { areasOf, homeOf, route, type Area } from './router';
import { theme } from './session/preferences';
import { logOut, user } from './session/session';

const ICONS: Record<Area['key'], IconName> = {
  requests: 'scan',
  worklist: 'list',
  transfers: 'send',
  data: 'database',
  runs: 'activity',
  audit: 'shield',
  users: 'users',
  destinations: 'archive',
  verify: 'search',
};

/** The ribs of the emblem: half the chest is bone, half is shadow. */
export const emblem = html`<svg viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">
  <path d="M16 4v24" />
  <path d="M16 8c-7 0-10 2-10 6M16 14c-7 0-10 2-10 6M16 20c-6 0-8 2-8 5" />
  <path d="M16 8c7 0 10 2 10 6M16 14c7 0 10 2 10 6M16 20c6 0 8 2 8 5" opacity=".45" />
</svg>`;

/** The buttons for language and theme; the login page shows them too. */
export function looks(): TemplateResult {
  const dark = theme.value === 'dark';
  const themeLabel = t().app.theme(dark);
  const other = language.value === 'en' ? 'zh' : 'en';
  return html`
    <button
      class="plain"
      lang=${other === 'zh' ? 'zh-CN' : 'en'}
      @click=${() => (language.value = other)}
      data-test="language"
    >
      ${icon('languages')} ${other === 'zh' ? '中文' : 'English'}
    </button>
    <button
      class="plain"
      aria-label=${themeLabel}
      title=${themeLabel}
      @click=${() => (theme.value = dark ? 'light' : 'dark')}
    >
      ${icon(dark ? 'sun' : 'moon')}
    </button>
  `;
}

/** The bar above every working area. */
export function topBar(onHelp: () => void): TemplateResult {
  const person = user.value!;
  const { page } = route.value;
  const areas = person.must_change_password ? [] : areasOf(person.roles);
  return html`<header class="topbar">
    <a class="brand" href=${homeOf(person.roles)}>${emblem}<span>${t().app.name}</span></a>
    <nav class="areas" aria-label=${t().app.areas}>
      ${areas.map(
        (area) => html`<a href=${area.path} aria-current=${area.pages.includes(page) ? 'page' : 'false'}
          >${icon(ICONS[area.key])}${t().app[area.key]}</a
        >`,
      )}
    </nav>
    <div class="tools">
      ${looks()}
      <button class="plain" aria-label=${t().app.shortcuts} title=${`${t().app.shortcuts} (?)`} @click=${onHelp}>
        ${icon('keyboard')}
      </button>
      <a class="who" href="/password" title=${t().app.changePassword}
        ><span>${person.display_name || person.username}</span
        ><small>${person.roles.map((role) => t().roles[role]).join(' · ')}</small></a
      >
      <button class="plain" aria-label=${t().app.logOut} title=${t().app.logOut} @click=${() => void logOut().catch(() => undefined)}>
        ${icon('logOut')}
      </button>
    </div>
  </header>`;
}
