import { faultOfValue, type Json, MAX_DEPTH } from './document.ts';

/**
 * The JSON text of a value that was read from JSON. Attributes may neither hold a number beyond a double's range nor
 * nest too deeply, and it takes the rules to say so. Such values are therefore still recognizable in their text, where
 * JSON.stringify would write null or exhaust the stack: the number stays out of range, and what nests too deeply is cut
 * off, but not before it has become too deep.
 */
export function jsonTextOf(value: Json): string {
  return faultOfValue(value, MAX_DEPTH) === undefined ? JSON.stringify(value) : write(value, MAX_DEPTH + 1);
}

function write(value: Json, depth: number): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return value > 0 ? '1e999' : '-1e999';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth === 0) return 'null';
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth - 1)).join()}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}:${write(member, depth - 1)}`)
    .join()}}`;
}
