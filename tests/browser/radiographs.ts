/** A tiny set of drawn chests, wrapped as DICOM by the engine: the test needs no patient's image. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32, deflateSync } from 'node:zlib';

import { ENGINE } from './server';

const SIDE = 128;

/** An 8-bit grey PNG (ISO/IEC 15948) of `SIDE` × `SIDE` pixels. */
function png(pixel: (x: number, y: number) => number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const rows = Buffer.alloc(SIDE * (SIDE + 1));
  for (let y = 0; y < SIDE; y += 1) {
    for (let x = 0; x < SIDE; x += 1) {
      rows[y * (SIDE + 1) + x + 1] = Math.max(0, Math.min(255, Math.round(pixel(x, y))));
    }
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Two dark lungs, a bright heart between them, and a patch where there is pneumonia. */
function chest(number: number, ill: boolean) {
  const within = (x: number, y: number, cx: number, cy: number, rx: number, ry: number) =>
    ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1;
  const shift = number % 7;
  return (x: number, y: number) => {
    let value = 190 + 20 * Math.sin((y + shift) / 5);
    if (within(x, y, 40 + shift, 60, 20, 38) || within(x, y, 90 - shift, 60, 20, 38)) {
      value = 60 + 12 * Math.sin((y + shift) / 4);
    }
    if (within(x, y, 70, 82, 18 + shift, 20)) value = 205;
    if (ill && within(x, y, 38, 74 + shift, 12, 10)) value = 170;
    return value + ((x * 7 + y * 13 + number * 29) % 9);
  };
}

/** Draws `count` chests of as many patients and answers the paths of their DICOM objects. */
export async function draw(folder: string, count: number): Promise<string[]> {
  const images = join(folder, 'drawn');
  const wrapped = join(folder, 'wrapped');
  await mkdir(images, { recursive: true });
  const table = ['file,patient,age,sex,view,findings'];
  for (let number = 0; number < count; number += 1) {
    const ill = number % 2 === 1;
    await writeFile(join(images, `chest-${number}.png`), png(chest(number, ill)));
    const sex = number % 3 === 0 ? 'F' : 'M';
    table.push(`chest-${number}.png,patient-${number},${20 + number},${sex},PA,${ill ? 'Pneumonia' : 'No Finding'}`);
  }
  const labels = join(folder, 'labels.csv');
  await writeFile(labels, `${table.join('\n')}\n`);
  await promisify(execFile)(ENGINE, ['dicom', 'wrap', '--images', images, '--labels', labels, '--out', wrapped]);
  const files = await readdir(wrapped, { recursive: true });
  return files.filter((name) => name.endsWith('.dcm')).map((name) => join(wrapped, name));
}
