import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../random.ts';

export interface OneTimeCodes {
  /** A code that is good for one minute and one use. */
  issue(): string;
  /** Whether the code is good. It is not any more. */
  take(code: string): boolean;
}

export const CODE_LIFETIME_MS = 60_000;
const CODE_BYTES = 24;
/** A person makes no more of them in a minute; the oldest gives way. */
const MAX_CODES = 10;
/** Whoever guesses has no code; then those that are there are worth nothing any more. */
export const MAX_MISSES = 10;

export const newCode = (random: RandomBytes) => Buffer.from(random(CODE_BYTES)).toString('base64url');

export function createOneTimeCodes({
  clock,
  random,
}: {
  clock: Pick<Clock, 'monotonic'>;
  random: RandomBytes;
}): OneTimeCodes {
  let codes: { readonly hash: Buffer; readonly until: number }[] = [];
  let misses = 0;
  const hashOf = (code: string) => createHash('sha256').update(code).digest();

  return {
    issue() {
      const code = newCode(random);
      codes = [...codes.slice(1 - MAX_CODES), { hash: hashOf(code), until: clock.monotonic() + CODE_LIFETIME_MS }];
      misses = 0;
      return code;
    },

    take(code) {
      const asked = hashOf(code);
      codes = codes.filter(({ until }) => until > clock.monotonic());
      const found = codes.find(({ hash }) => timingSafeEqual(hash, asked));
      codes = codes.filter((each) => each !== found);
      if (found !== undefined) return true;
      misses += 1;
      if (misses >= MAX_MISSES) codes = [];
      return false;
    },
  };
}
