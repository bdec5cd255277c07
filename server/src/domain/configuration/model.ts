import type { Sections } from './document.ts';

/** What a game's sections mean: its messages and the shapes that they are made of, each in the order of the document. */
export interface GameModel {
  readonly requests: readonly RequestMessage[];
  readonly events: readonly EventMessage[];
  readonly notifications: readonly NotificationMessage[];
  /** By name; those of the messages too. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** From a client to the backend, with a response. */
export interface RequestMessage {
  readonly name: string;
  readonly description: string;
  /** Whether players may send it; if not, only cloud code may. */
  readonly isFromPlayers: boolean;
  readonly request: Structure;
  readonly response: Structure;
}

/** From a client to the backend, without a response. */
export interface EventMessage {
  readonly name: string;
  readonly description: string;
  readonly isFromPlayers: boolean;
  readonly event: Structure;
}

/** From the backend to a client. */
export interface NotificationMessage {
  readonly name: string;
  readonly description: string;
  readonly notification: Structure;
}

export type Shape = Structure | Enumeration | List | Dictionary;

export interface Structure {
  readonly kind: 'structure';
  readonly name: string;
  readonly description: string;
  readonly fields: readonly Field[];
}

export interface Field {
  readonly name: string;
  readonly type: TypeReference;
  readonly isRequired: boolean;
  readonly description: string;
}

export interface Enumeration {
  readonly kind: 'enum';
  readonly name: string;
  readonly description: string;
  readonly values: readonly string[];
}

export interface List {
  readonly kind: 'list';
  readonly name: string;
  readonly description: string;
  readonly item: TypeReference;
}

/** Keys are strings. */
export interface Dictionary {
  readonly kind: 'map';
  readonly name: string;
  readonly description: string;
  readonly value: TypeReference;
}

export type TypeReference =
  | { readonly kind: 'builtin'; readonly name: BuiltinName }
  | { readonly kind: 'shape'; readonly name: string };

/**
 * Integer has 32 bits and Long 64; Timestamp is ISO 8601 text; Document is any JSON. A shape of the game cannot have one
 * of these names.
 */
export const BUILTIN_NAMES = ['String', 'Integer', 'Long', 'Decimal', 'Boolean', 'Timestamp', 'Document'] as const;

export type BuiltinName = (typeof BUILTIN_NAMES)[number];

/** The known sections, as a document without faults has them: what the schemas say, in TypeScript. */
interface KnownSections {
  readonly 'GameSparks.Core.Model'?: Entries<ShapeEntry>;
  readonly 'GameSparks.Core.Requests'?: Entries<MessageEntry & { RequestShape: string; ResponseShape: string }>;
  readonly 'GameSparks.Core.Events'?: Entries<MessageEntry & { EventShape: string }>;
  readonly 'GameSparks.Core.Notifications'?: Entries<Described & { NotificationShape: string }>;
}

type Entries<T> = Readonly<Record<string, T>>;
type Described = { Description?: string };
type MessageEntry = Described & { AllowedSources: readonly 'Player'[] };
type FieldEntry = Described & { Shape: string; Cardinality: 'Required' | 'Optional' };
type ShapeEntry =
  | { Structure: Described & { Fields: Entries<FieldEntry> } }
  | { Enum: Described & { Values: readonly string[] } }
  | { List: Described & { Shape: string } }
  | { Map: Described & { Shape: string } };

/** The model of sections in which `findFaults` finds nothing; of others it may be wrong or throw. */
export function readModel(sections: Sections): GameModel {
  const known = sections as KnownSections;
  const shapes = new Map(
    Object.entries(known['GameSparks.Core.Model'] ?? {}).map(([name, entry]) => [name, readShape(name, entry)]),
  );
  const structure = (name: string) => shapes.get(name) as Structure;
  const message = (name: string, { AllowedSources, Description = '' }: MessageEntry) => ({
    name,
    description: Description,
    isFromPlayers: AllowedSources.includes('Player'),
  });
  return {
    requests: Object.entries(known['GameSparks.Core.Requests'] ?? {}).map(([name, entry]) => ({
      ...message(name, entry),
      request: structure(entry.RequestShape),
      response: structure(entry.ResponseShape),
    })),
    events: Object.entries(known['GameSparks.Core.Events'] ?? {}).map(([name, entry]) => ({
      ...message(name, entry),
      event: structure(entry.EventShape),
    })),
    notifications: Object.entries(known['GameSparks.Core.Notifications'] ?? {}).map(([name, entry]) => ({
      name,
      description: entry.Description ?? '',
      notification: structure(entry.NotificationShape),
    })),
    shapes,
  };
}

function readShape(name: string, entry: ShapeEntry): Shape {
  if ('Structure' in entry) {
    const { Description: description = '', Fields } = entry.Structure;
    const fields = Object.entries(Fields).map(([field, { Shape, Cardinality, Description = '' }]) => ({
      name: field,
      type: typeOf(Shape),
      isRequired: Cardinality === 'Required',
      description: Description,
    }));
    return { kind: 'structure', name, description, fields };
  }
  if ('Enum' in entry) {
    return { kind: 'enum', name, description: entry.Enum.Description ?? '', values: entry.Enum.Values };
  }
  if ('List' in entry) {
    return { kind: 'list', name, description: entry.List.Description ?? '', item: typeOf(entry.List.Shape) };
  }
  return { kind: 'map', name, description: entry.Map.Description ?? '', value: typeOf(entry.Map.Shape) };
}

export function isBuiltin(name: string): name is BuiltinName {
  return (BUILTIN_NAMES as readonly string[]).includes(name);
}

function typeOf(name: string): TypeReference {
  return isBuiltin(name) ? { kind: 'builtin', name } : { kind: 'shape', name };
}
