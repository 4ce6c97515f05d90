/**
 * A radiograph on the screen, by Cornerstone3D.
 *
 * This module and what it imports are 3 MB: it is loaded only where an image is read.
 */
import { Enums, init as initCore, RenderingEngine, type Types } from '@cornerstonejs/core';
import loader, { init as initLoader } from '@cornerstonejs/dicom-image-loader';

import { PRESETS, Window, windows, type Preset } from './windowing';

const ENGINE = 'skiagraph';
const VIEWPORT = 'radiograph';

let started = false;

function start(): void {
  if (started) return;
  initCore();
  initLoader({ maxWebWorkers: 1 });
  started = true;
}

export interface Look {
  window: Window;
  invert: boolean;
  zoom: number;
}

/** One viewport over one image. */
export class RadiographView {
  readonly #engine: RenderingEngine;
  readonly #viewport: Types.IStackViewport;
  readonly #onLook: (look: Look) => void;
  readonly #resize: ResizeObserver;
  #windows: Record<Preset, Window> | undefined;
  #range = 1;
  #preset = 0;

  constructor(element: HTMLDivElement, onLook: (look: Look) => void) {
    start();
    this.#engine = new RenderingEngine(ENGINE);
    this.#engine.enableElement({
      viewportId: VIEWPORT,
      type: Enums.ViewportType.STACK,
      element,
      defaultOptions: { background: [0, 0, 0] },
    });
    this.#viewport = this.#engine.getViewport<Types.IStackViewport>(VIEWPORT);
    this.#onLook = onLook;
    this.#resize = new ResizeObserver(() => this.#engine.resize(true, true));
    this.#resize.observe(element);
  }

  /** Shows a DICOM object. Its own window is kept; where it brings none, the pixels give one. */
  async show(dicom: Blob): Promise<void> {
    const { fileManager } = loader.wadouri;
    fileManager.purge();
    await this.#viewport.setStack([fileManager.add(dicom)]);
    const image = this.#viewport.getCornerstoneImage();
    const first = (value: number | number[] | undefined) => (Array.isArray(value) ? value[0] : value);
    const center = first(image.windowCenter);
    const width = first(image.windowWidth);
    const pixels = image.voxelManager?.getScalarData() ?? image.getPixelData();
    this.#windows = windows(
      pixels,
      { slope: image.slope ?? 1, intercept: image.intercept ?? 0 },
      image.photometricInterpretation === 'MONOCHROME1',
      center !== undefined && width !== undefined && width > 1 ? new Window(center, width) : undefined,
    );
    this.#range = this.#windows.full.width;
    this.reset();
  }

  reset(): void {
    this.#viewport.resetCamera();
    this.#preset = 0;
    this.#viewport.resetProperties();
    this.preset('standard');
  }

  preset(name: Preset): void {
    if (!this.#windows) return;
    this.#preset = PRESETS.indexOf(name);
    this.#apply(this.#windows[name]);
  }

  nextPreset(): Preset {
    const name = PRESETS[(this.#preset + 1) % PRESETS.length] ?? 'standard';
    this.preset(name);
    return name;
  }

  /** Moves the window by shares of the image's own range. */
  shift(width: number, level: number): void {
    const now = this.#window();
    const least = this.#range / 512;
    this.#apply(new Window(now.center + level * this.#range, Math.max(least, now.width + width * this.#range)));
  }

  invert(): void {
    this.#viewport.setProperties({ invert: !this.#viewport.getProperties().invert });
    this.#draw();
  }

  zoom(factor: number): void {
    this.#viewport.setZoom(Math.min(20, Math.max(0.2, this.#viewport.getZoom() * factor)));
    this.#draw();
  }

  /** Moves the image by screen pixels. */
  pan(x: number, y: number): void {
    const [left, top] = this.#viewport.getPan();
    this.#viewport.setPan([left + x, top + y]);
    this.#draw();
  }

  destroy(): void {
    this.#resize.disconnect();
    this.#engine.destroy();
    loader.wadouri.fileManager.purge();
  }

  #window(): Window {
    const range = this.#viewport.getProperties().voiRange ?? { lower: 0, upper: 1 };
    return new Window((range.lower + range.upper) / 2, range.upper - range.lower);
  }

  #apply(window: Window): void {
    this.#viewport.setProperties({ voiRange: { lower: window.lower, upper: window.upper } });
    this.#draw();
  }

  #draw(): void {
    this.#viewport.render();
    const { invert } = this.#viewport.getProperties();
    this.#onLook({ window: this.#window(), invert: invert ?? false, zoom: this.#viewport.getZoom() });
  }
}
