import { html, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import uPlot from 'uplot';

import { keepOf, smoothed, type LossCurve } from '../areas/engineer/loss';
import { t } from '../i18n';
import { theme } from '../session/preferences';
import { checkField } from './fields';
import { View } from './view';

const HEIGHT = 320;
/** Colours that stay apart for people who see red and green alike (Okabe and Ito), by theme. */
const COLOURS = {
  dark: ['#8fd0e6', '#f0bf6a', '#d79ac4', '#7fd1a0', '#e8836b', '#b3bac2'],
  light: ['#0c5f7d', '#a86400', '#8c3f78', '#13633a', '#b03a22', '#51606d'],
};

/** The losses of one run or several over their steps. */
@customElement('sk-loss-plot')
export class LossPlot extends View {
  @property({ attribute: false }) curves: LossCurve[] = [];
  @state() private logarithmic = false;
  #plot: uPlot | undefined;
  #shape = '';
  #resize = new ResizeObserver(() => this.#fit());

  override connectedCallback(): void {
    super.connectedCallback();
    this.observe(theme);
  }

  protected override firstUpdated(): void {
    this.#resize.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#shape = '';
  }

  override render(): TemplateResult {
    const words = t().runs;
    const names = this.curves.map((curve) => curve.name).join(', ');
    return html`<div class="plot" role="img" aria-label=${words.plot(names)}></div>
      <div class="row end">
        ${checkField({
          name: 'log',
          label: words.log,
          checked: this.logarithmic,
          onChange: (checked) => (this.logarithmic = checked),
        })}
      </div>`;
  }

  protected override updated(): void {
    const target = this.querySelector<HTMLElement>('.plot')!;
    const data = this.#data();
    const shape = JSON.stringify([theme.value, t().runs.loss, this.logarithmic, this.curves.map((one) => one.name)]);
    if (this.#plot && shape === this.#shape) {
      this.#plot.setData(data);
      return;
    }
    this.#plot?.destroy();
    this.#shape = shape;
    this.#plot = new uPlot(this.#options(target.clientWidth || 600), data, target);
  }

  #fit(): void {
    const width = this.querySelector<HTMLElement>('.plot')?.clientWidth;
    if (width) this.#plot?.setSize({ width, height: HEIGHT });
  }

  /** One column of steps, and for each run its raw loss, its smoothed loss and its validation points. */
  #data(): uPlot.AlignedData {
    const steps = new Set<number>();
    for (const { training, validation } of this.curves) {
      for (const { step } of training) steps.add(step);
      for (const { step } of validation) steps.add(step);
    }
    const xs = [...steps].toSorted((a, b) => a - b);
    const at = new Map(xs.map((step, index) => [step, index]));
    const column = (points: { step: number; loss: number }[]) => {
      const values: (number | null)[] = new Array<null>(xs.length).fill(null);
      for (const { step, loss } of points) values[at.get(step)!] = loss;
      return values;
    };
    const many = this.curves.length > 1;
    const columns = this.curves.flatMap(({ training, validation }) => {
      const mean = smoothed(training.map((point) => point.loss), keepOf(training.length));
      const smooth = training.map((point, index) => ({ step: point.step, loss: mean[index]! }));
      return [...(many ? [] : [column(training)]), column(smooth), column(validation)];
    });
    return [xs, ...columns];
  }

  #options(width: number): uPlot.Options {
    const words = t().runs;
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour('--quiet'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line'), width: 1 },
      font: '12px IBM Plex Sans Variable, sans-serif',
    };
    const many = this.curves.length > 1;
    const palette = COLOURS[theme.value];
    const value = (_: uPlot, raw: number | null) => (raw === null ? '–' : raw.toPrecision(4));
    const series = this.curves.flatMap(({ name }, index): uPlot.Series[] => {
      const stroke = palette[index % palette.length]!;
      const points = many ? stroke : palette[1]!;
      const label = (text: string) => (many ? `${name}: ${text}` : text);
      return [
        ...(many ? [] : [{ label: words.raw, stroke: `${stroke}55`, width: 1, points: { show: false }, spanGaps: true, value }]),
        { label: label(words.training), stroke, width: 2, points: { show: false }, spanGaps: true, value },
        {
          label: label(words.validation), stroke: points, width: 1, dash: [4, 4], spanGaps: true, value,
          points: { show: true, size: 8, fill: points },
        },
      ];
    });
    return {
      width,
      height: HEIGHT,
      scales: { x: { time: false }, y: { distr: this.logarithmic ? 3 : 1 } },
      axes: [{ ...axis, label: words.step, labelSize: 20, labelFont: axis.font }, { ...axis, size: 58 }],
      series: [{ label: words.step }, ...series],
      cursor: { points: { size: 6 } },
    };
  }
}
