/** Server-sent events over `fetch`: `EventSource` cannot carry the token in a header. */
import { send } from './client';
import { asProblem } from './problem';

export interface ServerEvent {
  event: string;
  data: string;
  id?: string;
}

/**
 * Cuts a stream of text into events (WHATWG HTML, section 9.2.6).
 *
 * Chunks end anywhere, also between a carriage return and its line feed.
 */
export class EventParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id: string | undefined;
  #afterReturn = false;

  /** Takes the next piece of the stream and answers the events that it completes. */
  push(chunk: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let text = chunk;
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') this.#afterReturn = text.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return undefined;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id') this.#id = value;
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const data = this.#data;
    const event = this.#event || 'message';
    this.#data = [];
    this.#event = '';
    return data.length === 0 ? undefined : { event, data: data.join('\n'), id: this.#id };
  }
}

export interface Watch {
  onEvent(event: ServerEvent): void;
  /** The stream broke, and is about to be taken up again. */
  onBreak?(): void;
}

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/**
 * Follows the events at `path` until one named `done` arrives, the signal aborts, or the server
 * says that there is nothing to follow. A broken connection is taken up again.
 */
export async function follow(path: string, watch: Watch, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    try {
      const response = await send('GET', path, { signal, accept: 'text/event-stream' });
      const parser = new EventParser();
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const event of parser.push(value)) {
          wait = FIRST_WAIT;
          watch.onEvent(event);
          if (event.event === 'done') {
            await reader.cancel().catch(() => undefined);
            return;
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      const { status } = asProblem(error);
      if (status >= 400 && status < 500) throw error;
    }
    if (signal.aborted) return;
    watch.onBreak?.();
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}
