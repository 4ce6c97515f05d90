import { afterEach, describe, expect, it, vi } from 'vitest';

import { address, json, send, setAuthority } from '../src/api/client';

const answer = (status: number, body: unknown = {}) => new Response(JSON.stringify(body), { status });

function session(renewed: boolean) {
  let token = 'old';
  const authority = {
    token: () => token,
    renew: vi.fn(() => {
      token = 'new';
      return Promise.resolve(renewed);
    }),
    passwordRequired: vi.fn(),
  };
  setAuthority(authority);
  return authority;
}

afterEach(() => vi.unstubAllGlobals());

describe('client', () => {
  it('leaves the empty parts of a query out', () => {
    expect(address('/audit/events', { actor: 'a&b', action: '', from: null, to: undefined, page: 2 })).toBe(
      '/api/v1/audit/events?actor=a%26b&page=2',
    );
  });

  it('renews an expired token once and tries again with the new one', async () => {
    const authority = session(true);
    const fetched = vi.fn().mockResolvedValueOnce(answer(401)).mockResolvedValueOnce(answer(200, { id: 'x' }));
    vi.stubGlobal('fetch', fetched);
    expect(await json('GET', '/auth/me')).toEqual({ id: 'x' });
    expect(authority.renew).toHaveBeenCalledOnce();
    const sent = fetched.mock.calls.map(([, init]) => (init as { headers: Headers }).headers.get('authorization'));
    expect(sent).toEqual(['Bearer old', 'Bearer new']);
  });

  it('gives up when the session is over, and never renews for a login', async () => {
    const authority = session(false);
    vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(answer(401))));
    await expect(send('GET', '/users')).rejects.toMatchObject({ status: 401 });
    await expect(send('POST', '/auth/login', { anonymous: true, body: {} })).rejects.toMatchObject({ status: 401 });
    expect(authority.renew).toHaveBeenCalledOnce();
  });

  it('says when a new password is wanted', async () => {
    const authority = session(true);
    const document = { type: '/problems/password-change-required', status: 403 };
    vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(answer(403, document))));
    await expect(send('GET', '/users')).rejects.toMatchObject({ kind: 'password_change' });
    expect(authority.passwordRequired).toHaveBeenCalledOnce();
  });

  it('takes an empty answer', async () => {
    session(true);
    vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(null, { status: 204 }))));
    expect(await json('POST', '/auth/logout')).toBeUndefined();
  });
});
