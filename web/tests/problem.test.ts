import { describe, expect, it } from 'vitest';

import { ApiProblem, asProblem, NetworkFailure, problemFrom, problemOf } from '../src/api/problem';

describe('problems', () => {
  it('reads a problem document and finds the cause of a field, also within its parent', async () => {
    const body = JSON.stringify({
      type: 'about:blank',
      status: 422,
      detail: 'two fields were not accepted',
      errors: [
        { field: 'prompt.text', cause: 'longer than 2000 characters' },
        { field: 'files[3]', cause: 'is not DICOM' },
      ],
    });
    const problem = await problemOf(new Response(body, { status: 422 }));
    expect(problem.kind).toBe('invalid');
    expect(problem.causeOf('text')).toBe('longer than 2000 characters');
    expect(problem.causeOf('prompt.text')).toBe('longer than 2000 characters');
    expect(problem.causeOf('negative')).toBeUndefined();
    expect(problem.besides(['text'])).toEqual([{ field: 'files[3]', cause: 'is not DICOM' }]);
  });

  it.each([
    [401, {}, 'unauthenticated'],
    [403, {}, 'forbidden'],
    [403, { type: 'https://skiagraph.dev/problems/password-change-required' }, 'password_change'],
    [404, {}, 'missing'],
    [409, {}, 'conflict'],
    [413, {}, 'too_large'],
    [429, {}, 'rate_limited'],
    [400, {}, 'invalid'],
    [503, {}, 'server'],
  ])('tells status %i %o as %s', (status, document, kind) => {
    expect(new ApiProblem(status, document).kind).toBe(kind);
  });

  it('keeps the time after which to try again', async () => {
    const response = new Response('{}', { status: 429, headers: { 'retry-after': '17' } });
    expect((await problemOf(response)).retryAfter).toBe(17);
  });

  it('survives a body that is no problem document', () => {
    expect(problemFrom(502, '<html>bad gateway</html>').kind).toBe('server');
    expect(problemFrom(500, 'null').fields).toEqual([]);
  });

  it('tells a silent network from a failure of the page', () => {
    expect(asProblem(new NetworkFailure('refused')).kind).toBe('network');
    expect(asProblem(new TypeError('x is undefined')).kind).toBe('page');
  });
});
