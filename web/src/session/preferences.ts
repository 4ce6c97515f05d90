/** What a person chose for this browser: theme, and whether single keys act. */
import { Observable } from '../components/observable';

export type Theme = 'dark' | 'light';

const read = (name: string) => {
  try {
    return localStorage.getItem(`skiagraph.${name}`);
  } catch {
    return null; // Storage may be forbidden: the choice then lasts as long as the page.
  }
};

export const remember = (name: string, value: string) => {
  try {
    localStorage.setItem(`skiagraph.${name}`, value);
  } catch {
    // As above.
  }
};

export const recall = read;

export const theme = new Observable<Theme>(read('theme') === 'light' ? 'light' : 'dark');

/** WCAG 2.1.4: shortcuts of a single key can be switched off. */
export const singleKeys = new Observable<boolean>(read('keys') !== 'off');

function show(): void {
  const classes = globalThis.document?.documentElement.classList;
  classes?.toggle('wa-dark', theme.value === 'dark');
  classes?.toggle('wa-light', theme.value === 'light');
}

theme.subscribe(() => {
  remember('theme', theme.value);
  show();
});
singleKeys.subscribe(() => remember('keys', singleKeys.value ? 'on' : 'off'));
show();
