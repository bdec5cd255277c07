// Knows whether the console that was built is that of the sources, so that a build which changes nothing there takes no
// second of its own, as with the compiler.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const [built, stamp, root] = ['../server/dist/console/index.html', '../server/dist/console.sha256', '..'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
/** What the pages are made of: their own sources, and the SDK of players with its protocol. */
const SOURCES = ['console', 'client/src', 'protocol/src'].map((path) => join(root, path));
const lock = fileURLToPath(new URL('../package-lock.json', import.meta.url));

export function isConsoleBuilt() {
  return existsSync(built) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest();
}

/** Keeps scripts and styles in the form in which nearly every browser gets them, which takes a third of the room. */
export function zipConsole() {
  const assets = fileURLToPath(new URL('../server/dist/console/assets', import.meta.url));
  for (const name of readdirSync(assets)) {
    if (!/\.(js|css)$/.test(name)) continue;
    writeFileSync(join(assets, `${name}.gz`), gzipSync(readFileSync(join(assets, name)), { level: 9 }));
    rmSync(join(assets, name));
  }
}

export function rememberConsole() {
  writeFileSync(stamp, digest());
}

function digest() {
  const hash = createHash('sha256').update(existsSync(lock) ? readFileSync(lock) : '');
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  const files = SOURCES.flatMap((path) => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/[\\/](dist|node_modules)[\\/]|\.tsbuildinfo$|\.test\.ts$/.test(file))
    .sort();
  for (const file of files) hash.update(`${relative(root, file).replaceAll(sep, '/')}\0`).update(readFileSync(file));
  return hash.digest('hex');
}
