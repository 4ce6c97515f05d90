/** Window and level from the pixels: a projection radiograph has no scale of its own, as CT has. */

/** A linear VOI window in modality values (PS3.3 C.11.2.1.2). */
export class Window {
  constructor(
    readonly center: number,
    readonly width: number,
  ) {}

  get lower(): number {
    return this.center - this.width / 2;
  }

  get upper(): number {
    return this.center + this.width / 2;
  }

  static between(lower: number, upper: number): Window {
    return new Window((lower + upper) / 2, Math.max(upper - lower, 1));
  }
}

export const PRESETS = ['standard', 'full', 'contrast', 'lung', 'dense'] as const;
export type Preset = (typeof PRESETS)[number];

/** Shares of the pixels, in order of their values, between which each preset lies. */
const SHARES: Record<Exclude<Preset, 'full'>, readonly [number, number]> = {
  standard: [0.005, 0.995],
  contrast: [0.1, 0.9],
  lung: [0.01, 0.65],
  dense: [0.35, 0.999],
};

/** Pixels looked at: enough for a share of a thousandth. */
const LOOKED_AT = 40_000;

/**
 * The windows of the presets.
 *
 * `inverted` says that low values are bright (MONOCHROME1): lungs are then at the upper end.
 * `own` is the window that the object brings; it is the standard one.
 */
export function windows(
  pixels: ArrayLike<number>,
  rescale: { slope: number; intercept: number },
  inverted: boolean,
  own?: Window,
): Record<Preset, Window> {
  const stride = Math.max(1, Math.floor(pixels.length / LOOKED_AT));
  const values: number[] = [];
  for (let index = 0; index < pixels.length; index += stride) {
    values.push((pixels[index] ?? 0) * rescale.slope + rescale.intercept);
  }
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.round(share * (values.length - 1))] ?? 0;
  const window = ([low, high]: readonly [number, number]) =>
    inverted ? Window.between(at(1 - high), at(1 - low)) : Window.between(at(low), at(high));
  return {
    standard: own ?? window(SHARES.standard),
    full: Window.between(at(0), at(1)),
    contrast: window(SHARES.contrast),
    lung: window(SHARES.lung),
    dense: window(SHARES.dense),
  };
}
