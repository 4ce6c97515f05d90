// Brings the reader of the API's description (Scalar) into `public/vendor/`, so that it is built into
// the program: a hospital's network ends at its walls. Only its finished script is taken; as a
// dependency it would bring three hundred packages that nothing here uses.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PACKAGE = '@scalar/api-reference@1.46.4';
const INTEGRITY =
  'sha512-EpCcOG15Ry8DKNs/f5AdRA97s1B5kGPekzANpnK0j1IpyU4Sb/mfdyfB00WC+vUo7hfc4BFRSkkiPa5SSM7fng==';
const SCRIPT = 'package/dist/browser/standalone.js';

const folder = join(import.meta.dirname, '../public/vendor');
const script = join(folder, 'scalar.js');
const mark = join(folder, 'scalar.version');

if (existsSync(script) && existsSync(mark) && readFileSync(mark, 'utf8') === PACKAGE) process.exit(0);

const work = mkdtempSync(join(tmpdir(), 'skiagraph-vendor-'));
try {
  const options = { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const name = execFileSync('npm', ['pack', PACKAGE, '--silent'], options).trim();
  const digest = createHash('sha512').update(readFileSync(join(work, name))).digest('base64');
  if (`sha512-${digest}` !== INTEGRITY) throw new Error(`${PACKAGE} is not what it was: sha512-${digest}`);
  execFileSync('tar', ['-xzf', name, SCRIPT], options);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(work, SCRIPT), script);
  // The package itself brings no licence text, and the script must not go out without.
  copyFileSync(join(import.meta.dirname, 'scalar.LICENSE.txt'), join(folder, 'scalar.LICENSE.txt'));
  writeFileSync(mark, PACKAGE);
} finally {
  rmSync(work, { recursive: true, force: true });
}
