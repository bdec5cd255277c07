import type { TextKey } from '../texts/language.ts';

/** For how long a person may be kept out, or a stage closed, by a click. */
export const BLOCK_TIMES = [
  [3_600, 'hours1'],
  [7_200, 'hours2'],
  [86_400, 'days1'],
  [604_800, 'days7'],
  [2_592_000, 'days30'],
] as const satisfies (readonly [number, TextKey])[];

export const CLOSURE_TIMES = [
  [600, 'minutes10'],
  [1_800, 'minutes30'],
  [3_600, 'hours1'],
  [7_200, 'hours2'],
] as const satisfies (readonly [number, TextKey])[];
