import { CommandError } from './world.ts';

// A reply that lacks what it must have did not come from a Respark server: that is an error, and never counts as empty.

/** The list at the path in a reply. Throws a CommandError. */
export function listAt<Item>(reply: unknown, ...path: readonly string[]): readonly Item[] {
  const list = valueAt(reply, path);
  if (Array.isArray(list)) return list;
  throw new CommandError(`the reply has no list ${path.join('.')}; is the endpoint a Respark server?`);
}

/** The text at the path in a reply. Throws a CommandError. */
export function textAt(reply: unknown, ...path: readonly string[]): string {
  const text = valueAt(reply, path);
  if (typeof text === 'string') return text;
  throw new CommandError(`the reply has no text ${path.join('.')}; is the endpoint a Respark server?`);
}

/** The entries of the map at the path in a reply. Throws a CommandError. */
export function entriesAt<Item>(reply: unknown, ...path: readonly string[]): [name: string, item: Item][] {
  const map = valueAt(reply, path);
  if (typeof map === 'object' && map !== null && !Array.isArray(map)) return Object.entries<Item>({ ...map });
  throw new CommandError(`the reply has no map ${path.join('.')}; is the endpoint a Respark server?`);
}

/** The token by which the next page is asked for; undefined after the last one. Throws a CommandError for the same one again. */
export function nextTokenIn(reply: unknown, before: unknown): unknown {
  const next = valueAt(reply, ['NextToken']);
  if (next === undefined || next !== before) return next;
  throw new CommandError('the reply has the same page again; is the endpoint a Respark server?');
}

/** The value at the path in a reply; undefined if there is none. Only own members count. */
export function valueAt(reply: unknown, path: readonly string[]): unknown {
  return path.reduce((value, name) => (Object.hasOwn(Object(value), name) ? Object(value)[name] : undefined), reply);
}
