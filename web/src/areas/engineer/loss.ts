import type { TrainEvent } from '../../api/types';

/** The loss of a run, step by step. */
export interface LossCurve {
  name: string;
  training: { step: number; loss: number }[];
  validation: { step: number; loss: number }[];
}

/** Reads the curve out of a run's events; an event that came twice after a restart counts once. */
export function curve(name: string, events: readonly TrainEvent[]): LossCurve {
  const training = new Map<number, number>();
  const validation = new Map<number, number>();
  for (const event of events) {
    if (event.event === 'step') training.set(event.step, event.loss);
    else if (event.event === 'validation') validation.set(event.step, event.loss);
  }
  const inOrder = (losses: Map<number, number>) =>
    [...losses].map(([step, loss]) => ({ step, loss })).toSorted((a, b) => a.step - b.step);
  return { name, training: inOrder(training), validation: inOrder(validation) };
}

/**
 * An exponential average whose start is not biased towards zero, as Adam's is corrected
 * (Kingma and Ba 2015, section 3).
 */
export function smoothed(values: readonly number[], keep: number): number[] {
  let mean = 0;
  return values.map((value, index) => {
    mean = keep * mean + (1 - keep) * value;
    return mean / (1 - keep ** (index + 1));
  });
}

/** How strongly to smooth: over about a twentieth of the points. */
export function keepOf(points: number): number {
  return 1 - 1 / Math.max(1, Math.min(50, points / 20));
}

/** Seconds left by the last step's own estimate. */
export function secondsLeft(events: readonly TrainEvent[]): number | undefined {
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const event = events[index];
    if (event?.event === 'step') return event.seconds_left ?? undefined;
  }
  return undefined;
}
