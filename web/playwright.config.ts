import { defineConfig } from '@playwright/test';

const artefacts = process.env.SKIAGRAPH_ARTEFACTS ?? '../target/browser';

export default defineConfig({
  testDir: '../tests/browser',
  tsconfig: './tsconfig.tests.json',
  outputDir: `${artefacts}/results`,
  reporter: [['list']],
  // One story, told once: its steps build on each other.
  workers: 1,
  retries: 0,
  timeout: 15 * 60_000,
  expect: { timeout: 15_000 },
  use: {
    browserName: 'chromium',
    testIdAttribute: 'data-test',
    viewport: { width: 1440, height: 900 },
    actionTimeout: 15_000,
    locale: 'en-GB',
    timezoneId: 'UTC',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // Software WebGL: the reading view needs it where there is no graphics card.
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
        '--ignore-gpu-blocklist',
      ],
    },
  },
});
