/** The real program, on a free port, over a folder that lasts as long as the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

export const ENGINE = process.env.SKIAGRAPH_ENGINE_BIN ?? join(ROOT, 'target/release/skiagraph-engine');
const BACKEND = process.env.SKIAGRAPH_BIN ?? join(ROOT, 'target/release/skiagraph');
const MODEL = process.env.SKIAGRAPH_MODEL ?? join(ROOT, 'engine/starter');

export interface Server {
  address: string;
  /** The first administrator's, as the program prints it at its first start. */
  username: string;
  password: string;
  folder: string;
  stop(): Promise<void>;
}

export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => done(port));
    });
  });
}

/** Waits until `look` finds something, the program ends, or a minute has passed. */
async function until<T>(child: ChildProcess, said: () => string, look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    if (child.exitCode !== null) break;
    await new Promise((wake) => setTimeout(wake, 200));
  }
  throw new Error(`the program did not get ready; it said:\n${said()}`);
}

/** Starts the program and reads the first administrator's one-time password from what it prints. */
export async function start(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'skiagraph-browser-'));
  const bind = `127.0.0.1:${await freePort()}`;
  // The program takes every SKIAGRAPH_… variable for a setting; those of the tests are none.
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SKIAGRAPH_')),
  );
  const child = spawn(BACKEND, ['serve', '--bind', bind, '--data-dir', join(folder, 'data'), '--model', MODEL], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const said = () => text;
  const address = `http://${bind}`;
  const ready = until(child, said, async () =>
    (await fetch(`${address}/readyz`).catch(() => undefined))?.ok ? true : undefined,
  );
  await Promise.race([ready, failed]);
  const password = await until(child, said, () => Promise.resolve(/password\W+([^\s"]+)\s*$/im.exec(text)?.[1]));
  const username = /(?:\bname)\W+(\w[\w.-]*)/i.exec(text)?.[1];
  return {
    address,
    username: process.env.SKIAGRAPH_FIRST_USER ?? username ?? 'admin',
    password,
    folder,
    stop: async () => {
      const ended = new Promise((done) => child.once('exit', done));
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await Promise.race([ended, new Promise((wake) => setTimeout(wake, 10_000))]);
        if (child.exitCode === null) child.kill('SIGKILL');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
