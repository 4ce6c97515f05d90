/** Who is logged in. The access token lives in this module's memory and nowhere else. */
import { auth } from '../api/calls';
import { setAuthority } from '../api/client';
import { asProblem } from '../api/problem';
import type { Role, Session, User } from '../api/types';
import { Observable } from '../components/observable';

/** `undefined` until the server has said whether there is a session. */
export const user = new Observable<User | null | undefined>(undefined);

let token: string | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let renewal: Promise<boolean> | undefined;

/** Seconds before its end at which a token is renewed. */
const MARGIN = 60;
const CHANNEL = 'skiagraph-session';
const otherPages = new BroadcastChannel(CHANNEL);

otherPages.onmessage = (message: MessageEvent<string>) => {
  if (message.data === 'ended') end();
};

function begin(session: Session): void {
  token = session.access_token;
  user.value = session.user;
  clearTimeout(timer);
  timer = setTimeout(() => void renew(), Math.max(session.expires_in - MARGIN, 15) * 1000);
}

function end(): void {
  token = null;
  clearTimeout(timer);
  user.value = null;
}

/**
 * Two pages that renew at once would use one refresh token twice, which the server takes for a
 * theft and ends the session. The lock, where the browser has it, makes them take turns.
 */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const locks = (navigator as Partial<Navigator>).locks;
  return locks ? (locks.request(CHANNEL, work) as Promise<T>) : work();
}

/** Renews the session from its cookie; false when there is none. */
export function renew(): Promise<boolean> {
  renewal ??= inTurn(async () => {
    try {
      begin(await auth.refresh());
      return true;
    } catch (error) {
      const { status } = asProblem(error);
      // Without an answer from the server nothing is known: the session may still be good.
      if (status >= 400 && status < 500 && status !== 429) end();
      else if (user.value === undefined) user.value = null;
      return false;
    }
  }).finally(() => (renewal = undefined));
  return renewal;
}

export async function logIn(username: string, password: string): Promise<void> {
  begin(await auth.login(username, password));
}

export async function logOut(): Promise<void> {
  try {
    await auth.logout();
  } finally {
    end();
    otherPages.postMessage('ended');
  }
}

/** Changes the password, and logs in anew with it: the server ends the sessions of the old one. */
export async function changePassword(current: string, next: string): Promise<void> {
  const name = user.value?.username;
  await auth.password(current, next);
  if (name) await logIn(name, next);
}

/** Whether the person has one of `roles`. */
export function has(...roles: Role[]): boolean {
  return roles.some((role) => user.value?.roles.includes(role));
}

setAuthority({
  token: () => token,
  renew,
  passwordRequired: () => {
    if (user.value && !user.value.must_change_password) {
      user.value = { ...user.value, must_change_password: true };
    }
  },
});
