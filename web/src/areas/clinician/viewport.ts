import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';

import { images } from '../../api/calls';
import type { ApiProblem } from '../../api/problem';
import { icon, type IconName } from '../../components/icon';
import { loading, problemBox } from '../../components/parts';
import type { Look, RadiographView } from '../../components/radiograph';
import { View } from '../../components/view';
import { PRESETS, type Preset } from '../../components/windowing';
import { t } from '../../i18n';

/** The share of the image's range that one pixel of dragging, and one key press, is worth. */
const PER_PIXEL = 1 / 500;
const PER_KEY = 1 / 50;
const PAN_KEY = 30;

/** The radiograph with its tools: window, level, zoom, position, and the mark that it is synthetic. */
@customElement('sk-viewport')
export class Viewport extends View {
  @property() imageId = '';
  @state() private look: Look | undefined;
  @state() private preset: Preset | '' = 'standard';
  @state() private problem: ApiProblem | undefined;
  @state() private ready = false;
  #view: RadiographView | undefined;
  #dragging: { x: number; y: number; pan: boolean } | undefined;

  protected override firstUpdated(): void {
    const screen = this.querySelector<HTMLDivElement>('.screen-canvas')!;
    // Not passive: the wheel zooms the image and must not move the page.
    screen.addEventListener('wheel', this.#wheel, { passive: false, signal: this.leaving });
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has('imageId') && this.imageId) void this.#show();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#view?.destroy();
    this.#view = undefined;
  }

  async #show(): Promise<void> {
    const id = this.imageId;
    this.ready = false;
    this.problem = undefined;
    const shown = async () => {
      const [{ RadiographView }, dicom] = await Promise.all([
        import('../../components/radiograph'),
        images.dicom(id, this.leaving),
      ]);
      if (id !== this.imageId || !this.isConnected) return;
      const screen = this.querySelector<HTMLDivElement>('.screen-canvas')!;
      this.#view ??= new RadiographView(screen, (look) => (this.look = look));
      await this.#view.show(dicom);
      this.preset = 'standard';
      this.ready = true;
    };
    await this.attempt(shown(), (problem) => (this.problem = problem));
  }

  /** Acts on a key of the reading view; whether it meant something here. */
  act(event: KeyboardEvent): boolean {
    const view = this.#view;
    if (!view || event.ctrlKey || event.metaKey || event.altKey) return false;
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const arrow = arrows[event.key];
    if (arrow) {
      const [x, y] = arrow;
      if (event.shiftKey) view.pan(x * PAN_KEY, y * PAN_KEY);
      else this.#shift(x * PER_KEY, y * PER_KEY);
      return true;
    }
    switch (event.key) {
      case '+':
      case '=':
        view.zoom(1.2);
        return true;
      case '-':
        view.zoom(1 / 1.2);
        return true;
      case '0':
        this.#reset();
        return true;
      case 'i':
      case 'I':
        view.invert();
        return true;
      case 'w':
      case 'W':
        this.preset = view.nextPreset();
        return true;
      default:
        return false;
    }
  }

  #shift(width: number, level: number): void {
    this.preset = '';
    this.#view?.shift(width, level);
  }

  #reset = () => {
    this.#view?.reset();
    this.preset = 'standard';
  };

  override render(): TemplateResult {
    const words = t().reader;
    return html`<div class="screen">
      ${this.#tools()}
      <div
        class="screen-canvas"
        role="application"
        tabindex="0"
        aria-label=${words.viewport}
        data-ready=${this.ready ? 'true' : 'false'}
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @contextmenu=${(event: Event) => event.preventDefault()}
      ></div>
      <div class="overlay top"><strong class="synthetic">${words.synthetic}</strong><span>${words.notPatient}</span></div>
      ${this.look ? this.#numbers(this.look) : nothing}
      ${this.problem
        ? html`<div class="screen-cover"><h3>${words.failed}</h3>${problemBox(this.problem, [], () => void this.#show())}</div>`
        : this.ready
          ? nothing
          : html`<div class="screen-cover">${loading()}</div>`}
    </div>`;
  }

  #numbers(look: Look): TemplateResult {
    const words = t().reader;
    return html`<div class="overlay bottom mono" data-test="window">
      <span>${words.window} ${Math.round(look.window.width)} ${words.level} ${Math.round(look.window.center)}</span>
      <span>${words.zoom} ${look.zoom.toFixed(2)}×</span>
    </div>`;
  }

  #tools(): TemplateResult {
    const words = t().reader;
    const button = (name: IconName, label: string, act: () => void, pressed?: boolean) => html`<button
      class="plain"
      title=${label}
      aria-label=${label}
      aria-pressed=${pressed === undefined ? nothing : pressed ? 'true' : 'false'}
      @click=${act}
    >
      ${icon(name)}
    </button>`;
    return html`<div class="screen-tools" role="toolbar" aria-label=${words.title}>
      <div class="chips" role="group" aria-label=${words.presets}>
        ${PRESETS.map(
          (one) => html`<button
            class="chip"
            aria-pressed=${this.preset === one ? 'true' : 'false'}
            @click=${() => {
              this.preset = one;
              this.#view?.preset(one);
            }}
          >
            ${words.preset[one]}
          </button>`,
        )}
      </div>
      <span class="row">
        ${button('contrast', words.invert, () => this.#view?.invert(), this.look?.invert ?? false)}
        ${button('zoomOut', words.zoomOut, () => this.#view?.zoom(1 / 1.2))}
        ${button('zoomIn', words.zoomIn, () => this.#view?.zoom(1.2))}
        ${button('rotate', words.reset, this.#reset)}
      </span>
    </div>`;
  }

  #down = (event: PointerEvent) => {
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    this.#dragging = { x: event.clientX, y: event.clientY, pan: event.button !== 0 };
  };

  #move = (event: PointerEvent) => {
    const from = this.#dragging;
    if (!from) return;
    const x = event.clientX - from.x;
    const y = event.clientY - from.y;
    this.#dragging = { ...from, x: event.clientX, y: event.clientY };
    if (from.pan) this.#view?.pan(x, y);
    else this.#shift(x * PER_PIXEL, y * PER_PIXEL);
  };

  #up = () => {
    this.#dragging = undefined;
  };

  #wheel = (event: WheelEvent) => {
    event.preventDefault();
    this.#view?.zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
  };
}
