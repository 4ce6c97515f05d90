// Holds the licence of every crate and every npm package against the list in deny.toml.
// Exits 1 and names each package whose licence is absent or not on the list.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const allowed = new Set(
  [...readFileSync("deny.toml", "utf8").match(/^allow = \[([^\]]*)\]/m)[1].matchAll(/"([^"]+)"/g)].map((m) => m[1]),
);

/** Whether an SPDX expression can be met by allowed licences alone. */
export function permitted(expression) {
  // `MIT/Apache-2.0` is how crates said OR before SPDX expressions.
  const tokens = expression.replaceAll("/", " OR ").match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const either = () => {
    let met = both();
    while (tokens[at] === "OR") {
      at += 1;
      met = both() || met;
    }
    return met;
  };
  const both = () => {
    let met = one();
    while (tokens[at] === "AND") {
      at += 1;
      met = one() && met;
    }
    return met;
  };
  const one = () => {
    if (tokens[at] === "(") {
      at += 1;
      const met = either();
      at += 1;
      return met;
    }
    let name = tokens[at] ?? "";
    at += 1;
    if (tokens[at] === "WITH") {
      name = `${name} WITH ${tokens[at + 1]}`;
      at += 2;
    }
    return allowed.has(name);
  };
  return either() && at === tokens.length;
}

// The check must be able to fail.
for (const [expression, expected] of [
  ["MIT OR GPL-3.0-only", true],
  ["MIT AND GPL-3.0-only", false],
  ["(MIT OR GPL-2.0) AND Apache-2.0", true],
  ["AGPL-3.0", false],
  ["Apache-2.0 WITH LLVM-exception", true],
  ["", false],
]) {
  if (permitted(expression) !== expected) throw new Error(`the licence check misjudges "${expression}"`);
}

const host = execFileSync("rustc", ["-vV"], { encoding: "utf8" }).match(/^host: (.+)$/m)[1];
const metadata = ["metadata", "--format-version", "1", "--locked", "--filter-platform", host, "--all-features"];
const crates = JSON.parse(
  execFileSync("cargo", metadata, { maxBuffer: 1 << 28, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
).packages.map(({ name, version, license }) => ({ kind: "crate", name, version, license }));
const pages = existsSync("web/package-lock.json")
  ? Object.entries(JSON.parse(readFileSync("web/package-lock.json", "utf8")).packages)
      .filter(([path]) => path !== "")
      .map(([path, { version, license }]) => ({
        kind: "npm package",
        name: path.replace(/^.*node_modules\//, ""),
        version,
        license: license ?? declared(path),
      }))
  : [];

/** The licence that an installed package declares, where the lock file does not repeat it. */
function declared(path) {
  const file = `web/${path}/package.json`;
  if (!existsSync(file)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(file, "utf8"));
  return license ?? licenses?.map(({ type }) => type).join(" OR ");
}

const bad = [...crates, ...pages].filter(({ license }) => !permitted(license ?? ""));
for (const { kind, name, version, license } of bad) {
  console.error(`${kind} ${name} ${version}: ${license ?? "no licence"} is not on the list in deny.toml`);
}
console.log(`licences: ${crates.length} crates and ${pages.length} npm packages, ${bad.length} not allowed`);
process.exit(bad.length === 0 ? 0 : 1);
