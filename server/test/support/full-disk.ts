import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/** From now on the disk has room for `room` more bytes of `file`, until the returned function is called or the test ends. */
export function fillDisk(t: TestContext, file: string, room = 0): () => void {
  const { writeSync } = fs;
  let left = room;
  const write = (descriptor: number, data: string, ...rest: []): number => {
    if (fs.fstatSync(descriptor).ino !== fs.statSync(file, { throwIfNoEntry: false })?.ino) {
      return writeSync(descriptor, data, ...rest);
    }
    if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const written = writeSync(descriptor, Buffer.from(data).subarray(0, left));
    left -= written;
    return written;
  };
  const use = (replacement: typeof fs.writeSync) => {
    fs.writeSync = replacement;
    syncBuiltinESMExports();
  };
  use(write as typeof fs.writeSync);
  const restore = () => use(writeSync);
  t.after(restore);
  return restore;
}
