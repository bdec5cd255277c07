import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/**
 * Until the test ends, this process is refused what Windows refuses: to put a directory on disk, to replace a file that
 * is open, and to cut off a file through a descriptor that only appends. Needs `/proc`.
 */
export function refuseAsOnWindows(t: TestContext): void {
  const { fsyncSync, renameSync, ftruncateSync } = fs;
  const use = (functions: Partial<typeof fs>) => {
    Object.assign(fs, functions);
    syncBuiltinESMExports();
  };
  t.after(() => use({ fsyncSync, renameSync, ftruncateSync }));
  use({
    fsyncSync(descriptor) {
      if (fs.fstatSync(descriptor).isDirectory()) refuse('fsync');
      fsyncSync(descriptor);
    },
    renameSync(from, to) {
      if (isOpen(String(to))) refuse('rename');
      renameSync(from, to);
    },
    ftruncateSync(descriptor, length) {
      if (isAppending(descriptor)) refuse('ftruncate');
      ftruncateSync(descriptor, length);
    },
  });
}

function refuse(call: string): never {
  throw Object.assign(new Error(`EPERM: operation not permitted, ${call}`), { code: 'EPERM' });
}

function isOpen(path: string): boolean {
  const wanted = fs.statSync(path, { throwIfNoEntry: false });
  if (wanted === undefined) return false;
  return fs.readdirSync('/proc/self/fd').some((descriptor) => {
    const found = fs.statSync(`/proc/self/fd/${descriptor}`, { throwIfNoEntry: false });
    return found?.ino === wanted.ino && found.dev === wanted.dev;
  });
}

function isAppending(descriptor: number): boolean {
  const [, flags = ''] = /^flags:\s+(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
  return (Number.parseInt(flags, 8) & fs.constants.O_APPEND) !== 0;
}
