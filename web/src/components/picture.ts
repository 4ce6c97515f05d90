import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { icon } from './icon';
import { View } from './view';

/** A picture behind the login: fetched with the token, once it comes near the screen. */
@customElement('sk-picture')
export class Picture extends View {
  /** What fetches it. A new key, a new picture. */
  @property({ attribute: false }) source!: (signal: AbortSignal) => Promise<Blob>;
  @property() key: string | undefined;
  @property() alt = '';
  @state() private url = '';
  @state() private failed = false;
  #observer: IntersectionObserver | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.#observer?.disconnect();
      void this.#fetch();
    });
    this.#observer.observe(this);
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    // The element was given to another picture: what it shows is not that one's.
    if (!changed.has('key') || changed.get('key') === undefined) return;
    this.#forget();
    this.failed = false;
    void this.#fetch();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer?.disconnect();
    this.#forget();
  }

  override render(): TemplateResult {
    if (this.failed) return html`<span class="picture-failed">${icon('circleAlert')}</span>`;
    return html`${this.url ? html`<img src=${this.url} alt=${this.alt} />` : nothing}`;
  }

  async #fetch(): Promise<void> {
    const { key } = this;
    const blob = await this.attempt(this.source(this.leaving), () => (this.failed = true));
    if (!blob || !this.isConnected || key !== this.key) return;
    this.#forget();
    this.url = URL.createObjectURL(blob);
  }

  #forget(): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = '';
  }
}
