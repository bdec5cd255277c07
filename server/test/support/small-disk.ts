import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A file system of a few megabytes of its own. */
export interface SmallDisk {
  readonly path: string;
  /** Leaves no room. */
  fill(): void;
  /** Gives back what `fill` has taken. */
  empty(): void;
  setReadOnly(isReadOnly: boolean): void;
}

/** Why there can be no small disks; false when there can. */
export function whyNoSmallDisk(): string | false {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'only root can mount a small disk, on Linux';
  // A container may forbid it to root.
  return spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
    ? false
    : 'this machine does not let root mount a disk';
}

/** Mounts a small disk until the test ends. */
export function mountSmallDisk(t: TestContext, mebibytes: number): SmallDisk {
  const mount = (...args: string[]) => {
    const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`mount failed: ${stderr}`);
  };
  const path = mkdtempSync(join(tmpdir(), 'respark-disk-'));
  mount('-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=755`, 'tmpfs', path);
  t.after(() => {
    spawnSync('umount', ['-l', path]);
    rmdirSync(path);
  });
  const filling = join(path, 'filling');
  return {
    path,
    fill() {
      try {
        writeFileSync(filling, Buffer.alloc(mebibytes * 1_048_576), { flag: 'a' });
      } catch {
        // That is what was wanted.
      }
    },
    empty: () => rmSync(filling, { force: true }),
    setReadOnly: (isReadOnly) => mount('-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, path),
  };
}
