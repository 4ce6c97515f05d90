import { afterEach, describe, expect, it, vi } from 'vitest';

import { EventParser, follow, type ServerEvent } from '../src/api/sse';

describe('events', () => {
  it('reads events, whatever the line ends and the cuts between chunks', () => {
    const stream = 'event: progress\r\ndata: {"step":1}\r\n\r\n: still here\n\nid: 7\ndata: a\ndata: b\n\nevent: done\rdata:x\r\r';
    const expected: ServerEvent[] = [
      { event: 'progress', data: '{"step":1}', id: undefined },
      { event: 'message', data: 'a\nb', id: '7' },
      { event: 'done', data: 'x', id: '7' },
    ];
    for (let size = 1; size <= stream.length; size += 1) {
      const parser = new EventParser();
      const got: ServerEvent[] = [];
      for (let at = 0; at < stream.length; at += size) got.push(...parser.push(stream.slice(at, at + size)));
      expect(got).toEqual(expected);
    }
  });

  it('keeps an unfinished event to itself, and drops one without data', () => {
    const parser = new EventParser();
    expect(parser.push('event: progress\ndata: 1\n')).toEqual([]);
    expect(parser.push('\nevent: empty\n\n')).toHaveLength(1);
  });
});

describe('following', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('takes a broken stream up again, and ends at `done`', async () => {
    vi.useFakeTimers();
    const streams = ['event: progress\ndata: 1\n\n', 'event: progress\ndata: 2\n\nevent: done\ndata: 3\n\n'];
    const fetched = vi.fn(() => Promise.resolve(new Response(streams.shift())));
    vi.stubGlobal('fetch', fetched);
    const seen: string[] = [];
    const breaks = vi.fn();
    const watch = { onEvent: (event: ServerEvent) => seen.push(event.data), onBreak: breaks };
    const following = follow('/runs/1/events', watch, new AbortController().signal);
    await vi.runAllTimersAsync();
    await following;
    expect(seen).toEqual(['1', '2', '3']);
    expect(breaks).toHaveBeenCalledOnce();
  });

  it('does not insist where the server refuses', async () => {
    vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response('{}', { status: 404 }))));
    const watch = { onEvent: () => undefined };
    await expect(follow('/runs/1/events', watch, new AbortController().signal)).rejects.toMatchObject({ status: 404 });
  });
});
