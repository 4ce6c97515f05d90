/** Problem documents (RFC 9457), and everything else that can go wrong with a request. */

/** One field of a request that the server refused, and why. */
export interface FieldError {
  field: string;
  cause: string;
}

/** What the server answers instead of a result. */
export interface ProblemDocument {
  type?: string;
  title?: string;
  status?: number;
  detail?: string | null;
  instance?: string | null;
  errors?: FieldError[];
}

/** Why a request failed, in the kinds for which the pages know a next step. */
export type ProblemKind =
  | 'network'
  | 'page'
  | 'unauthenticated'
  | 'password_change'
  | 'forbidden'
  | 'missing'
  | 'conflict'
  | 'too_large'
  | 'invalid'
  | 'rate_limited'
  | 'server';

/** The request never got an answer. */
export class NetworkFailure extends Error {}

/** The status of what failed in the page itself: no server sends it. */
const PAGE_FAILURE = -1;

/** A request that failed. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly document: ProblemDocument;
  /** Seconds after which trying again makes sense, where the server said so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, document: ProblemDocument, retryAfter?: number) {
    super(document.detail ?? document.title ?? `HTTP ${status}`);
    this.name = 'ApiProblem';
    this.status = status;
    this.document = document;
    this.retryAfter = retryAfter;
  }

  get kind(): ProblemKind {
    if (this.status === 0) return 'network';
    if (this.status === PAGE_FAILURE) return 'page';
    if (this.status === 401) return 'unauthenticated';
    if (this.status === 403) {
      return this.document.type?.endsWith('password-change-required') ? 'password_change' : 'forbidden';
    }
    if (this.status === 404 || this.status === 410) return 'missing';
    if (this.status === 409) return 'conflict';
    if (this.status === 413) return 'too_large';
    if (this.status === 429) return 'rate_limited';
    return this.status >= 500 ? 'server' : 'invalid';
  }

  get fields(): FieldError[] {
    return this.document.errors ?? [];
  }

  /** The cause given for `field`; `prompt.text` is also found under `text`. */
  causeOf(field: string): string | undefined {
    return this.fields.find((error) => error.field === field || error.field.split('.').at(-1) === field)
      ?.cause;
  }

  /** The errors whose field is not among `known`: a form shows them above itself. */
  besides(known: readonly string[]): FieldError[] {
    return this.fields.filter(
      ({ field }) => !known.includes(field) && !known.includes(field.split('.').at(-1) ?? field),
    );
  }
}

/** Reads what a failed response says; a body that is no problem document gives its status alone. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const retryAfter = Number(response.headers.get('retry-after') ?? NaN);
  return problemFrom(response.status, await response.text().catch(() => ''), retryAfter);
}

/** The same for a body that has been read already. */
export function problemFrom(status: number, body: string, retryAfter = NaN): ApiProblem {
  let document: ProblemDocument = { title: `HTTP ${status}` };
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) document = parsed;
  } catch {
    // A proxy's page or an empty body: the status says what there is to say.
  }
  return new ApiProblem(status, document, Number.isFinite(retryAfter) ? retryAfter : undefined);
}

/** Any thrown thing as a problem. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const title = error instanceof Error ? error.message : String(error);
  return new ApiProblem(error instanceof NetworkFailure ? 0 : PAGE_FAILURE, { title, detail: title });
}
