/** Addresses of the pages. The backend answers `index.html` for each of them. */
import type { Role } from './api/types';
import { Observable } from './components/observable';

export type PageName =
  | 'home'
  | 'login'
  | 'password'
  | 'requests'
  | 'worklist'
  | 'reading'
  | 'transfers'
  | 'uploads'
  | 'upload'
  | 'datasets'
  | 'dataset'
  | 'runs'
  | 'run'
  | 'compare'
  | 'audit'
  | 'users'
  | 'destinations'
  | 'verify'
  | 'missing';

export interface Route {
  page: PageName;
  path: string;
  params: Record<string, string>;
  query: URLSearchParams;
}

const PAGES: [pattern: string, page: PageName][] = [
  ['/', 'home'],
  ['/login', 'login'],
  ['/password', 'password'],
  ['/requests', 'requests'],
  ['/requests/:id', 'requests'],
  ['/worklist', 'worklist'],
  ['/images/:id', 'reading'],
  ['/transfers', 'transfers'],
  ['/uploads', 'uploads'],
  ['/uploads/:id', 'upload'],
  ['/datasets', 'datasets'],
  ['/datasets/:id', 'dataset'],
  ['/runs', 'runs'],
  ['/runs/compare', 'compare'],
  ['/runs/:id', 'run'],
  ['/audit', 'audit'],
  ['/users', 'users'],
  ['/destinations', 'destinations'],
  ['/verify', 'verify'],
];

/** The working areas, who sees each, and the pages under it. */
export interface Area {
  key: 'requests' | 'worklist' | 'transfers' | 'data' | 'runs' | 'audit' | 'users' | 'destinations' | 'verify';
  path: string;
  roles: Role[];
  pages: PageName[];
}

export const AREAS: readonly Area[] = [
  { key: 'requests', path: '/requests', roles: ['clinician', 'ml_engineer'], pages: ['requests'] },
  { key: 'worklist', path: '/worklist', roles: ['clinician', 'ml_engineer'], pages: ['worklist', 'reading'] },
  { key: 'transfers', path: '/transfers', roles: ['clinician', 'ml_engineer'], pages: ['transfers'] },
  { key: 'data', path: '/datasets', roles: ['ml_engineer'], pages: ['uploads', 'upload', 'datasets', 'dataset'] },
  { key: 'runs', path: '/runs', roles: ['ml_engineer'], pages: ['runs', 'run', 'compare'] },
  { key: 'audit', path: '/audit', roles: ['auditor'], pages: ['audit'] },
  { key: 'users', path: '/users', roles: ['admin'], pages: ['users'] },
  { key: 'destinations', path: '/destinations', roles: ['admin'], pages: ['destinations'] },
  { key: 'verify', path: '/verify', roles: ['clinician', 'ml_engineer', 'auditor', 'admin'], pages: ['verify'] },
];

/** The areas of a person with `roles`; a clinician's first, an engineer starts at the data. */
export function areasOf(roles: readonly Role[]): Area[] {
  return AREAS.filter((area) => area.roles.some((role) => roles.includes(role)));
}

/** Where a person starts. */
export function homeOf(roles: readonly Role[]): string {
  const own = areasOf(roles);
  const start = roles.includes('clinician') ? own[0] : (own.find((area) => area.key === 'data') ?? own[0]);
  return start?.path ?? '/password';
}

/** The page of an address. */
export function match(url: URL): Route {
  const path = url.pathname.replace(/(.)\/+$/, '$1');
  const parts = path.split('/');
  for (const [pattern, page] of PAGES) {
    const names = pattern.split('/');
    if (names.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = names.every((name, index) => {
      const part = parts[index] ?? '';
      if (!name.startsWith(':')) return name === part;
      params[name.slice(1)] = decodeURIComponent(part);
      return part !== '';
    });
    if (fits) return { page, path, params, query: url.searchParams };
  }
  return { page: 'missing', path, params: {}, query: url.searchParams };
}

const here = () => new URL(globalThis.location?.href ?? 'http://localhost/');

export const route = new Observable<Route>(match(here()));

/** Goes to a page. `replace` leaves no step to go back to. */
export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  route.value = match(here());
}

/** Changes the query of this page's address, so that it can be linked to. */
export function setQuery(values: Record<string, string | number | undefined | null>): void {
  const url = here();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === '') url.searchParams.delete(name);
    else url.searchParams.set(name, String(value));
  }
  go(url.pathname + url.search, true);
}

/** Follows the browser's steps, and takes over the clicks on links to pages. */
export function startRouter(): void {
  addEventListener('popstate', () => (route.value = match(here())));
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
    if (!anchor || anchor.target || anchor.hasAttribute('download')) return;
    if (anchor.origin !== location.origin || anchor.pathname.startsWith('/api/')) return;
    event.preventDefault();
    go(anchor.pathname + anchor.search);
  });
}
