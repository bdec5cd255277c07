import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import type { ConsoleFile, FindConsoleFile } from '../console/console.ts';
import { PACKAGE_ROOT } from './package-root.ts';

/** Where the build puts the pages. */
const BUILT = join(PACKAGE_ROOT, 'dist', 'console');

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * Reads the console once, when the first of its files is asked for, so that a server whose console nobody opens holds
 * nothing of it. Only the files that are there then can ever be served, whatever a path says.
 */
export function createConsoleFiles(directory = BUILT): FindConsoleFile {
  let files: ReadonlyMap<string, ConsoleFile> | undefined;
  return (path) => {
    files ??= readFiles(directory);
    return files.get(path);
  };
}

function readFiles(directory: string): ReadonlyMap<string, ConsoleFile> {
  if (!existsSync(directory)) return new Map();
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return new Map(
    names.flatMap((name): [string, ConsoleFile][] => {
      const path = name.replaceAll(sep, '/').replace(/\.gz$/, '');
      const contentType = TYPES[extname(path)];
      if (contentType === undefined) return [];
      const stored = readFileSync(join(directory, name));
      return [
        [path, toFile(name.endsWith('.gz') ? gunzipSync(stored) : stored, contentType, path.startsWith('assets/'))],
      ];
    }),
  );
}

function toFile(body: Uint8Array, contentType: string, isHashed: boolean): ConsoleFile {
  let zipped: Promise<Uint8Array> | undefined;
  return {
    contentType,
    isHashed,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    body: () => body,
    gzipped() {
      zipped ??= promisify(gzip)(body, { level: 9 });
      return zipped;
    },
  };
}
