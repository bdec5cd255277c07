import { shown } from '../text.ts';
import { OutsideFault } from './outside-fault.ts';

/** An option of a call: what a script may give. */
export interface OptionRow {
  /** Completes "must be …". */
  readonly rule: string;
  /** What is sent for the value; undefined when the value breaks the rule. */
  readonly read: (value: unknown) => unknown;
}

export type OptionRows = Readonly<Record<string, OptionRow>>;

/** The longest parameters of a call, in bytes of JSON: an item of DynamoDB has 400 KB at most. */
const MAX_PARAMETER_BYTES = 524_288;

/** How deep parameters and answers may nest, because not every reader of JSON takes more. */
const MAX_LEVELS = 64;

export function badArgument(message: string): OutsideFault {
  return new OutsideFault('bad_argument', message);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function nestsTooDeep(value: unknown, levels = MAX_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  // There may be a hundred thousand lists, and each would have another one as its values.
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return inner.some((each) => nestsTooDeep(each, levels - 1));
}

/** Throws for parameters that no call could send, whatever it is. */
export function checkSize(parameters: readonly unknown[]): void {
  if (nestsTooDeep(parameters)) throw badArgument(`the parameters nest deeper than ${MAX_LEVELS} levels`);
  const bytes = Buffer.byteLength(JSON.stringify(parameters));
  if (bytes <= MAX_PARAMETER_BYTES) return;
  const limit = `a call may have ${MAX_PARAMETER_BYTES}`;
  throw new OutsideFault('too_large', `the parameters have ${bytes} bytes as JSON, and ${limit}`);
}

/** The options that were given; one that is null counts as not given. `what` is the call, such as "GetItem". */
export function readOptions(given: unknown, rows: OptionRows, what: string): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  if (given === undefined || given === null) return read;
  if (!isObject(given)) throw badArgument(`the options of ${what} must be an object, got ${shown(given)}`);
  for (const [name, value] of Object.entries(given)) {
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (row === undefined) {
      throw badArgument(`${what} has no option ${shown(name)}: it takes ${Object.keys(rows).join(', ')}`);
    }
    if (value === null) continue;
    const sent = row.read(value);
    if (sent === undefined) throw badArgument(`${name} of ${what} must be ${row.rule}, got ${shown(value)}`);
    read[name] = sent;
  }
  return read;
}
