/** Sending images to archives, as the pages speak of it. */
import { destinations, transfers } from '../../api/calls';
import { follow } from '../../api/sse';
import type { Destination, State, Transfer } from '../../api/types';

/** Nothing will happen to such a transfer any more. */
export function isOver(state: State): boolean {
  return state !== 'queued' && state !== 'running';
}

/** The archives that images may be sent to; the others get nothing, so that nobody can choose them. */
export function permitted(all: readonly Destination[]): Destination[] {
  return all.filter((one) => one.accepts_synthetic);
}

export async function permittedDestinations(): Promise<Destination[]> {
  return permitted((await destinations.list()).items);
}

/** What `progress` says of a transfer. */
interface Moment {
  state: State;
  step: number;
  total_steps: number;
}

/** A transfer as an event of it says that it stands. */
export function moved(transfer: Transfer, data: string): Transfer {
  const { state, step, total_steps } = JSON.parse(data) as Moment;
  return { ...transfer, state, progress: { step, total: total_steps } };
}

/** Tells how a transfer goes until it is over, and then once more with its result. */
export async function watch(transfer: Transfer, onMove: (transfer: Transfer) => void, signal: AbortSignal): Promise<void> {
  let now = transfer;
  await follow(
    `/transfers/${transfer.id}/events`,
    {
      onEvent: ({ data }) => {
        now = moved(now, data);
        // Its end is told below, with the reason.
        if (!isOver(now.state)) onMove(now);
      },
    },
    signal,
  );
  if (!signal.aborted) onMove(await transfers.get(transfer.id));
}

/** The one of these that will be over first: one worker sends them in the order of their identifiers. */
export function nextOf(all: readonly Transfer[]): Transfer | undefined {
  return all.filter(({ state }) => !isOver(state)).toSorted((a, b) => (a.id < b.id ? -1 : 1))[0];
}
