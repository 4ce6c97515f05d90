/** A person at a browser of their own. */
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

import { expect, type Browser, type Locator, type Page } from '@playwright/test';

const ROOT = resolve(__dirname, '../..');
const ARTEFACTS = resolve(process.env.SKIAGRAPH_ARTEFACTS ?? join(ROOT, 'target/browser'));
const AXE = createRequire(join(ROOT, 'web/package.json')).resolve('axe-core/axe.min.js');

interface Violations {
  violations: { id: string; help: string; nodes: { target: unknown[] }[] }[];
}

export class Person {
  /** What went wrong in the page, and every address outside the server that it asked for. */
  readonly faults: string[] = [];

  private constructor(
    readonly page: Page,
    address: string,
  ) {
    page.on('pageerror', (error) => this.faults.push(error.message));
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) this.faults.push(message.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (/^https?:/.test(url) && !url.startsWith(address)) this.faults.push(`asked elsewhere: ${url}`);
    });
  }

  static async arrive(browser: Browser, address: string): Promise<Person> {
    const context = await browser.newContext({ baseURL: address, acceptDownloads: true });
    return new Person(await context.newPage(), address);
  }

  /** A text field by its label. */
  field(label: string): Locator {
    return this.page.getByRole('textbox', { name: label });
  }

  async logIn(username: string, password: string): Promise<void> {
    await this.page.goto('/login');
    await this.field('User name').fill(username);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.page.getByRole('button', { name: 'Log in' }).click();
  }

  /** Logs in with a one-time password, which leads to the choice of an own one and nowhere else. */
  async firstLogIn(username: string, oneTime: string, own: string): Promise<void> {
    await this.logIn(username, oneTime);
    await expect(this.page.getByRole('heading', { name: 'Choose a new password' })).toBeVisible();
    await this.page.goto('/users');
    await expect(this.page.getByRole('heading', { name: 'Choose a new password' })).toBeVisible();
    await this.page.getByLabel('One-time password', { exact: true }).fill(oneTime);
    await this.page.getByLabel('New password', { exact: true }).fill(own);
    await this.page.getByLabel('New password again', { exact: true }).fill(own);
    await this.page.getByRole('button', { name: 'Set password' }).click();
    await expect(this.page.getByRole('navigation', { name: 'Working areas' }).getByRole('link').first()).toBeVisible();
  }

  async open(area: string): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Working areas' }).getByRole('link', { name: area }).click();
  }

  async choose(label: string, option: string | RegExp): Promise<void> {
    await this.page.getByRole('combobox', { name: label }).click();
    await this.page.getByRole('option', { name: option }).click();
  }

  /** Keeps a picture of the page, and holds it against WCAG 2.1 AA. */
  async inspect(name: string): Promise<void> {
    await mkdir(ARTEFACTS, { recursive: true });
    await this.page.screenshot({ path: join(ARTEFACTS, `${name}.png`) });
    // By the browser's own protocol: the page's policy refuses scripts that are not the server's.
    const protocol = await this.page.context().newCDPSession(this.page);
    await protocol.send('Runtime.evaluate', { expression: await readFile(AXE, 'utf8') });
    const found = await this.page.evaluate(() => {
      const { axe } = globalThis as unknown as {
        axe: { run(where: Document, how: object): Promise<Violations> };
      };
      return axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    });
    await protocol.detach();
    const said = found.violations.map(
      ({ id, help, nodes }) => `${id}: ${help} at ${nodes.map(({ target }) => target.join(' ')).join('; ')}`,
    );
    expect(said, `accessibility of ${name}`).toEqual([]);
  }

  async leave(): Promise<void> {
    await this.page.getByRole('button', { name: 'Log out' }).click();
    await expect(this.page.getByRole('button', { name: 'Log in' })).toBeVisible();
    expect(this.faults).toEqual([]);
    await this.page.context().close();
  }
}
