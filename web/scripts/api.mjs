// Reads the API's description from a running platform and writes its records as types to
// src/api/schema.d.ts. The first line holds the description's SHA-256: a test from outside holds it
// against what the platform says, so that the pages never speak of an API that is gone.

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const address = process.env.SKIAGRAPH_ADDRESS ?? 'http://127.0.0.1:8080';
const out = new URL('../src/api/schema.d.ts', import.meta.url);

const answer = await fetch(`${address}/api/openapi.json`);
if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
const bytes = Buffer.from(await answer.arrayBuffer());
const { paths: _, ...records } = JSON.parse(bytes.toString('utf8'));
const types = astToString(await openapiTS({ ...records, paths: {} }, { alphabetize: true }));
const sum = createHash('sha256').update(bytes).digest('hex');
await writeFile(out, `// Made by \`npm run api\` from the description with SHA-256 ${sum}.\n${types}`);
