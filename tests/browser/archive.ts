/** An archive that others keep: dcmtk's `storescp`, which takes whatever comes. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePort } from './server';

export class Archive {
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  /** One that listens; undefined where dcmtk is not installed. */
  static async open(folder: string): Promise<Archive | undefined> {
    if (spawnSync('storescp', ['--version']).error) return undefined;
    const archive = new Archive(await freePort(), join(folder, 'archive'));
    await mkdir(archive.folder, { recursive: true });
    await archive.start();
    return archive;
  }

  async start(): Promise<void> {
    this.#child = spawn('storescp', ['--aetitle', 'RESEARCH', '--output-directory', this.folder, String(this.port)], {
      stdio: 'ignore',
    });
    for (let tries = 0; tries < 100; tries += 1) {
      if (await this.#listens()) return;
      await new Promise((wake) => setTimeout(wake, 100));
    }
    throw new Error('storescp does not listen');
  }

  #listens(): Promise<boolean> {
    return new Promise((done) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        done(true);
      });
      socket.once('error', () => done(false));
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  /** The names of what has arrived. */
  arrived(): Promise<string[]> {
    return readdir(this.folder);
  }
}
