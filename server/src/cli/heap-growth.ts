import { setFlagsFromString } from 'node:v8';

/** How much a heap may grow before the next collection, in percent of what the last one has left. */
const GROWTH_PERCENT = 200;

/**
 * Lets the heaps of this process grow to three times what a collection has left before the next one, as V8 does for a heap
 * that is busy all the time. After a quiet time it would collect again after a tenth to a third instead, so that bodies of
 * a megabyte start ten collections a second, each of which holds up everybody's calls for 10 to 20 ms.
 */
export function letHeapsGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
