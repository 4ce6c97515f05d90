/** One way to the server: tokens, renewal, problems. */
import { NetworkFailure, problemFrom, problemOf, type ApiProblem } from './problem';

const BASE = '/api/v1';

/** Who answers for the session; set once by `session`. */
export interface Authority {
  /** The access token, held in memory alone. */
  token(): string | null;
  /** Gets a new access token; false when the session is over. */
  renew(): Promise<boolean>;
  /** The server wants a new password before anything else. */
  passwordRequired(): void;
}

let authority: Authority | undefined;

/** Names who answers for the session. */
export function setAuthority(value: Authority): void {
  authority = value;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  accept?: string;
  /** For the calls that make a session: they carry no token and are not tried again. */
  anonymous?: boolean;
}

/** The address of `path`, without the empty parts of `query`. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `${BASE}${path}${text ? `?${text}` : ''}`;
}

function headers(options: Options): Headers {
  const all = new Headers({ accept: options.accept ?? 'application/json' });
  if (options.body !== undefined) all.set('content-type', 'application/json');
  const token = options.anonymous ? null : authority?.token();
  if (token) all.set('authorization', `Bearer ${token}`);
  return all;
}

/** Sends a request and answers the response, once it is a good one. */
export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const once = () =>
    fetch(address(path, options.query), {
      method,
      headers: headers(options),
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    }).catch((error: unknown) => {
      // `fetch` throws a TypeError where there is no answer, and nobody else's TypeError is that.
      throw error instanceof TypeError ? new NetworkFailure(error.message) : error;
    });
  let response = await once();
  if (response.status === 401 && !options.anonymous && (await authority?.renew())) response = await once();
  if (response.ok) return response;
  throw noted(await problemOf(response));
}

function noted(problem: ApiProblem): ApiProblem {
  if (problem.kind === 'password_change') authority?.passwordRequired();
  return problem;
}

/** Sends a request whose answer is JSON, or empty. */
export async function json<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Fetches a file: images and exports go through here, since the token is in a header. */
export async function file(path: string, query?: Query, signal?: AbortSignal): Promise<Blob> {
  const response = await send('GET', path, { query, signal, accept: '*/*' });
  return response.blob();
}

/** Sends a form of files, and tells how far it has come (`fetch` cannot). */
export async function upload<T>(
  path: string,
  form: () => FormData,
  onProgress: (sent: number, total: number) => void,
  signal: AbortSignal,
): Promise<T> {
  const attempt = () =>
    new Promise<XMLHttpRequest>((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', address(path));
      request.setRequestHeader('accept', 'application/json');
      const token = authority?.token();
      if (token) request.setRequestHeader('authorization', `Bearer ${token}`);
      request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
      request.onload = () => resolve(request);
      request.onerror = () => reject(new NetworkFailure('the connection was lost during the upload'));
      request.onabort = () => reject(new DOMException('stopped', 'AbortError'));
      signal.addEventListener('abort', () => request.abort(), { once: true });
      request.send(form());
    });
  let answer = await attempt();
  if (answer.status === 401 && (await authority?.renew())) answer = await attempt();
  if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.responseText) as T;
  const retryAfter = Number(answer.getResponseHeader('retry-after') ?? NaN);
  throw noted(problemFrom(answer.status, answer.responseText, retryAfter));
}
