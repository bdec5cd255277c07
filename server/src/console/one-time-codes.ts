import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../random.ts';

export interface OneTimeCodes {
  /** A code that is good for one minute and one use. */
  issue(): string;
  /**
   * Whether the code is good, which it is only once. A wrong code does not use up the others: any page of the web can have a
   * browser of this machine open the console with a code that it has made up, and a code has too many bits to be guessed.
   */
  take(code: string): boolean;
}

export const CODE_LIFETIME_MS = 60_000;
const CODE_BYTES = 24;
/** A person makes no more of them in a minute; the oldest gives way. */
const MAX_CODES = 10;

export const newCode = (random: RandomBytes) => Buffer.from(random(CODE_BYTES)).toString('base64url');

export function createOneTimeCodes({
  clock,
  random,
}: {
  clock: Pick<Clock, 'monotonic'>;
  random: RandomBytes;
}): OneTimeCodes {
  let codes: { readonly hash: Buffer; readonly until: number }[] = [];
  const hashOf = (code: string) => createHash('sha256').update(code).digest();

  return {
    issue() {
      const code = newCode(random);
      codes = [...codes.slice(1 - MAX_CODES), { hash: hashOf(code), until: clock.monotonic() + CODE_LIFETIME_MS }];
      return code;
    },

    take(code) {
      const asked = hashOf(code);
      codes = codes.filter(({ until }) => until > clock.monotonic());
      const found = codes.find(({ hash }) => timingSafeEqual(hash, asked));
      codes = codes.filter((each) => each !== found);
      return found !== undefined;
    },
  };
}
