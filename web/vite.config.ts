import { defineConfig } from 'vitest/config';

const backend = process.env.SKIAGRAPH_ADDRESS ?? 'http://127.0.0.1:8080';

export default defineConfig({
  build: {
    target: 'es2023',
    // The policy that the backend sends with the pages lets no `data:` address be fetched, so that
    // every icon and font stays a file of its own.
    assetsInlineLimit: 0,
    // The image reader is one chunk of 3 MB; it is loaded only where an image is read.
    chunkSizeWarningLimit: 4000,
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': backend } },
  test: { include: ['tests/**/*.test.ts'] },
});
