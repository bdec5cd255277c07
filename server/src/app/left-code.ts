import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { CODE_LIFETIME_MS, newCode, type OneTimeCodes } from '../console/one-time-codes.ts';
import type { DataDirectory } from '../data-directory/data-directory.ts';
import { CONSOLE_CODE_FILE } from '../data-directory/server-files.ts';
import type { RandomBytes } from '../random.ts';

/** The content of the file. It has a hash, so that the file, or a copy of the directory, gives away no code. */
interface LeftCode {
  readonly sha256: string;
  /** In milliseconds since 1970, by the clock of the machine, which the command and the server share. */
  readonly until: number;
}

const hashOf = (code: string) => createHash('sha256').update(code).digest();

/**
 * Makes a code that is good for one minute and one use, and leaves its hash for the server of the directory. Only
 * the directory's user and the superuser can. A code that was left before is worth nothing any more.
 */
export function leaveCode({
  directory,
  clock,
  random,
}: {
  directory: Pick<DataDirectory, 'writeSecretFile'>;
  clock: Pick<Clock, 'now'>;
  random: RandomBytes;
}): string {
  const code = newCode(random);
  const left: LeftCode = { sha256: hashOf(code).toString('hex'), until: clock.now() + CODE_LIFETIME_MS };
  directory.writeSecretFile(CONSOLE_CODE_FILE, JSON.stringify(left));
  return code;
}

/** Takes a code that a command has left, or else one of the start's own. */
export function withLeftCode({
  codes,
  directory,
  clock,
}: {
  codes: OneTimeCodes;
  directory: Pick<DataDirectory, 'readOwnFile' | 'removeFile'>;
  clock: Pick<Clock, 'now'>;
}): OneTimeCodes {
  function takeLeft(code: string): boolean {
    const left = readLeft(directory.readOwnFile(CONSOLE_CODE_FILE));
    if (left === undefined) return false;
    const leftMs = left.until - clock.now();
    // A clock that was set back does not make a code good for longer.
    const isInTime = leftMs > 0 && leftMs <= CODE_LIFETIME_MS;
    const isFound = isInTime && timingSafeEqual(Buffer.from(left.sha256, 'hex'), hashOf(code));
    // It is gone before anybody is let in, so that no failure leaves it good for a second use.
    if (isFound || !isInTime) directory.removeFile(CONSOLE_CODE_FILE);
    return isFound;
  }

  return { issue: codes.issue, take: (code) => takeLeft(code) || codes.take(code) };
}

/** Undefined without a file, and for one that no command has left so. */
function readLeft(text: string | undefined): LeftCode | undefined {
  if (text === undefined) return undefined;
  try {
    const { sha256, until } = Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
    const isWhole = typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) && typeof until === 'number';
    return isWhole ? { sha256, until } : undefined;
  } catch {
    return undefined;
  }
}
