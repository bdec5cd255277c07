import type { Outputs } from '../api/operations.ts';

type Sections = NonNullable<Outputs['GetSnapshot']['Snapshot']>['Sections'];

/** A message that players may get. */
export interface GameMessage {
  /** As players know it. */
  readonly type: string;
  readonly description: string;
  /** The name of its payload's shape. */
  readonly shape: string;
}

/** One that they may send. */
export interface PlayableMessage extends GameMessage {
  readonly kind: 'request' | 'event';
}

type Attributes = Readonly<Record<string, unknown>>;

/** The type of a game's message on the wire is this and its name. */
const PREFIX = 'Custom.Game.';

export function messagesOf(sections: Sections): readonly PlayableMessage[] {
  const of = (section: string, kind: PlayableMessage['kind'], shape: string) =>
    [...entriesOf(sections, section)].flatMap(([name, message]) => {
      const sources = message.AllowedSources;
      if (!Array.isArray(sources) || !sources.includes('Player')) return [];
      const description = textOf(message.Description);
      return [{ kind, type: `${PREFIX}${name}`, description, shape: textOf(message[shape]) }];
    });
  return [...of('Requests', 'request', 'RequestShape'), ...of('Events', 'event', 'EventShape')];
}

export function notificationsOf(sections: Sections): readonly GameMessage[] {
  return [...entriesOf(sections, 'Notifications')].map(([name, { Description, NotificationShape }]) => ({
    ...{ type: `${PREFIX}${name}`, description: textOf(Description), shape: textOf(NotificationShape) },
  }));
}

/** How deeply shapes nest in an example, and how many values it has in all. */
const MAX_DEPTH = 16;
const MAX_VALUES = 300;

/**
 * A payload that fits the shape. A shape that contains itself is nested no further than it must be, and an example has
 * no more values than a person would read, however many shapes refer to each other.
 */
export function examplePayload(
  sections: Sections,
  shape: string,
  { hasOptional, now }: { hasOptional: boolean; now: Date },
): unknown {
  const shapes = entriesOf(sections, 'Model');
  const builtins: Readonly<Record<string, unknown>> = {
    String: 'text',
    Integer: 1,
    Long: 1,
    Decimal: 1.5,
    Boolean: true,
    Timestamp: now.toISOString(),
    Document: {},
  };
  let left = MAX_VALUES;

  function exampleOf(name: string, path: readonly string[]): unknown {
    left -= 1;
    if (Object.hasOwn(builtins, name)) return builtins[name];
    const found = readShape(shapes.get(name));
    const inside = [...path, name];
    const isFull = (next: string) => inside.includes(next) || inside.length > MAX_DEPTH || left <= 0;
    switch (found?.kind) {
      case 'structure':
        // Even a required field is left empty here. If an example needs to be longer, a person has to write the rest.
        if (path.length > MAX_DEPTH || left <= 0) return {};
        return Object.fromEntries(
          found.fields
            .filter(({ shape: next, isRequired }) => isRequired || (hasOptional && !isFull(next)))
            .map(({ name: field, shape: next }) => [field, exampleOf(next, inside)]),
        );
      case 'enum':
        return found.values[0] ?? '';
      case 'list':
        return isFull(found.of) ? [] : [exampleOf(found.of, inside)];
      case 'map':
        return isFull(found.of) ? {} : { key: exampleOf(found.of, inside) };
      default:
        return null;
    }
  }

  return exampleOf(shape, []);
}

/** More shapes than this are too many to read beside a payload. */
const MAX_DESCRIBED = 40;

/** The shape and those that it refers to, one field a line. */
export function describeShape(sections: Sections, shape: string): string {
  const shapes = entriesOf(sections, 'Model');
  const named = [shape];
  const lines: string[] = [];
  // The loop goes on through what is added meanwhile.
  for (const name of named) {
    const found = readShape(shapes.get(name));
    if (found === undefined) continue;
    const next = found.kind === 'structure' ? found.fields.map(({ shape: of }) => of) : 'of' in found ? [found.of] : [];
    for (const each of next)
      if (shapes.has(each) && !named.includes(each) && named.length < MAX_DESCRIBED) named.push(each);
    lines.push(describe(name, found));
  }
  return lines.join('\n');
}

function describe(name: string, shape: Shape): string {
  switch (shape.kind) {
    case 'enum':
      return `${name} = ${shape.values.join(' | ')}`;
    case 'list':
      return `${name} = ${shape.of}[]`;
    case 'map':
      return `${name} = { key: ${shape.of} }`;
    case 'structure': {
      const fields = shape.fields.map(({ name: field, shape: of, isRequired, description }) => {
        const said = description === '' ? '' : `  // ${description}`;
        return `  ${field}${isRequired ? '' : '?'}: ${of}${said}`;
      });
      return fields.length === 0 ? `${name} { }` : [`${name} {`, ...fields, '}'].join('\n');
    }
  }
}

type Shape =
  | { readonly kind: 'structure'; readonly fields: readonly Field[] }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'list' | 'map'; readonly of: string };

interface Field {
  readonly name: string;
  readonly shape: string;
  readonly isRequired: boolean;
  readonly description: string;
}

function readShape(entry: Attributes | undefined): Shape | undefined {
  const { Structure, Enum, List, Map: map } = entry ?? {};
  if (isObject(Structure)) {
    const fields = Object.entries(isObject(Structure.Fields) ? Structure.Fields : {}).map(([name, field]) => {
      const { Shape: shape, Cardinality, Description } = isObject(field) ? field : {};
      return {
        name,
        shape: textOf(shape),
        isRequired: Cardinality === 'Required',
        description: textOf(Description),
      };
    });
    return { kind: 'structure', fields };
  }
  if (isObject(Enum)) return { kind: 'enum', values: Array.isArray(Enum.Values) ? Enum.Values.map(textOf) : [] };
  if (isObject(List)) return { kind: 'list', of: textOf(List.Shape) };
  if (isObject(map)) return { kind: 'map', of: textOf(map.Shape) };
  return undefined;
}

/** A map, because an object has names of its own, such as `constructor`. */
function entriesOf(sections: Sections = {}, section: string): ReadonlyMap<string, Attributes> {
  const attributes = sections[`GameSparks.Core.${section}`]?.Attributes;
  const entries = Object.entries(isObject(attributes) ? attributes : {});
  return new Map(entries.flatMap(([name, value]) => (isObject(value) ? [[name, value] as const] : [])));
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

function isObject(value: unknown): value is Attributes {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
