import { LitElement } from 'lit';

import { ApiProblem, asProblem } from '../api/problem';
import { language } from '../i18n';
import type { Observable } from './observable';

/**
 * What every page and component is made from.
 *
 * It renders into the page itself and not into a shadow tree, so that one set of styles serves all
 * and labels can point at what they name. It renders again when the language changes.
 */
export abstract class View extends LitElement {
  #endings: (() => void)[] = [];
  #leaving = new AbortController();

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#leaving = new AbortController();
    this.observe(language);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leaving.abort();
    for (const end of this.#endings) end();
    this.#endings = [];
  }

  /** Aborts when the element leaves the page. */
  protected get leaving(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Renders again whenever `observable` changes, while the element is on the page. */
  protected observe(observable: Observable<unknown>): void {
    this.#endings.push(observable.subscribe(() => this.requestUpdate()));
  }

  /** Awaits `work`; a problem goes to `onProblem`, one that comes after the element left to nobody. */
  protected async attempt<T>(
    work: Promise<T>,
    onProblem: (problem: ApiProblem) => void,
  ): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!this.leaving.aborted) onProblem(asProblem(error));
      return undefined;
    }
  }
}
