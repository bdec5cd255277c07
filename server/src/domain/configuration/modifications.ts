import { ServiceError } from '../../errors.ts';
import { shown } from '../../text.ts';
import { faultOfValue, type Json, MAX_DEPTH, type Sections } from './document.ts';
import { keysOf, pointerOf } from './pointer.ts';

export interface Modification<Value = Json> {
  readonly section: string;
  readonly operation: 'ADD' | 'REMOVE' | 'REPLACE';
  /** A JSON Pointer (RFC 6901) into the section's attributes. */
  readonly path: string;
  /** Undefined when the caller gave none. */
  readonly value: Value | undefined;
}

/**
 * The sections after all of the modifications, in order; the given sections stay as they are. Paths and operations are
 * those of JSON Patch (RFC 6902), except that an ADD to a section that does not exist makes the section first. Throws
 * `validation`, naming the first modification that cannot be made.
 *
 * What lies on a path is copied when it is first changed, and changed in place from then on, so no part of the document
 * is copied twice, however many modifications there are.
 */
export function applyModifications(sections: Sections, modifications: readonly Modification[]): Sections {
  const workingCopy = createWorkingCopy(sections);
  for (const [index, modification] of modifications.entries()) {
    const fault = workingCopy.modify(modification);
    if (fault === undefined) continue;
    const { operation, path, section } = modification;
    throw new ServiceError(
      'validation',
      `modifications.${index + 1}.member: cannot ${operation} ${shown(path)} in section ${shown(section)}: ${fault}`,
    );
  }
  return workingCopy.sections;
}

const BAD_PATH = 'a path begins with "/", and in its keys a "~" is written "~0" and a "/" "~1"';

type Container = Record<string, Json> | Json[];

interface WorkingCopy {
  readonly sections: Sections;
  /** Makes one modification, or says why it cannot be made. */
  modify(modification: Modification): string | undefined;
}

function createWorkingCopy(original: Sections): WorkingCopy {
  /** The containers that this copy has made itself, and may therefore change. */
  const owned = new WeakSet<object>();

  function copyOf<T extends Container>(container: T): T {
    const copy = (Array.isArray(container) ? container.slice() : Object.fromEntries(Object.entries(container))) as T;
    owned.add(copy);
    return copy;
  }

  /** The container at `key`, which must be there, ready to be changed. */
  function enter(container: Container, key: string | number): Container {
    const child = get(container, key) as Container;
    if (owned.has(child)) return child;
    const copy = copyOf(child);
    set(container, key, copy);
    return copy;
  }

  const sections: Record<string, Json> = copyOf(original as Record<string, Json>);

  return {
    sections,
    modify({ section, operation, path, value }) {
      const keys = keysOf(path);
      if (keys === undefined || keys.length === 0) return BAD_PATH;
      const valueFault = faultOfOperand(operation, value, keys.length);
      if (valueFault !== undefined) return valueFault;
      if (!Object.hasOwn(sections, section)) {
        if (operation !== 'ADD') return 'there is no such section: ADD something to it first';
        set(sections, section, copyOf({}));
      }
      let container = enter(sections, section);
      for (const [depth, key] of keys.slice(0, -1).entries()) {
        const place = placeOf(container, key);
        const child = place === undefined ? undefined : get(container, place);
        if (place === undefined || typeof child !== 'object' || child === null) {
          const parent = shown(pointerOf(keys.slice(0, depth + 1)));
          return child === undefined
            ? `there is nothing at ${parent}: ADD that first`
            : `what is at ${parent} has no members: REPLACE that first`;
        }
        container = enter(container, place);
      }
      return change(container, keys.at(-1) as string, operation, value as Json);
    },
  };
}

function change(
  container: Container,
  key: string,
  operation: Modification['operation'],
  value: Json,
): string | undefined {
  if (operation === 'ADD' && Array.isArray(container)) {
    const index = key === '-' ? container.length : indexOf(key);
    if (index === undefined || index > container.length) {
      return `its parent is an array of ${container.length}: end the path with an index up to that, or with "-" to append`;
    }
    container.splice(index, 0, value);
    return undefined;
  }
  if (operation === 'ADD') {
    set(container, key, value);
    return undefined;
  }
  const place = placeOf(container, key);
  if (place === undefined) return 'there is nothing there: ADD it, or correct the path';
  if (operation === 'REPLACE') set(container, place, value);
  else if (Array.isArray(container)) container.splice(place as number, 1);
  else delete container[place];
  return undefined;
}

function faultOfOperand(
  operation: Modification['operation'],
  value: Json | undefined,
  depth: number,
): string | undefined {
  if (operation === 'REMOVE') return value === undefined ? undefined : 'REMOVE takes no Value: leave it out';
  if (value === undefined) return `${operation} needs a Value`;
  const fault = faultOfValue(value, Math.max(0, MAX_DEPTH - depth));
  return fault && `its Value ${fault}`;
}

/** The place in the container that `key` leads to; undefined when there is nothing. */
function placeOf(container: Container, key: string): string | number | undefined {
  if (!Array.isArray(container)) return Object.hasOwn(container, key) ? key : undefined;
  const index = indexOf(key);
  return index !== undefined && index < container.length ? index : undefined;
}

function indexOf(key: string): number | undefined {
  return /^(0|[1-9]\d*)$/.test(key) ? Number(key) : undefined;
}

function get(container: Container, place: string | number): Json {
  return (container as Record<string, Json>)[place] as Json;
}

/** The member is defined, not assigned, because `__proto__` is a key like any other. */
function set(container: Container, place: string | number, value: Json): void {
  Object.defineProperty(container, place, { value, enumerable: true, writable: true, configurable: true });
}
