import { isBuiltin, type Shape, type Structure, type TypeReference } from '../../payload-shapes.ts';
import type { Sections } from './document.ts';
import { SECTIONS } from './sections.ts';

/**
 * What a game's sections mean: its messages, the shapes that they are made of and the scripts that handle them, each in the
 * order of the document.
 */
export interface GameModel {
  readonly requests: readonly RequestMessage[];
  readonly events: readonly EventMessage[];
  readonly notifications: readonly NotificationMessage[];
  /** By name, including the shapes of the messages. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** By the name of their request; those that override a request which every stage answers by itself, by its type. */
  readonly requestHandlers: ReadonlyMap<string, MessageHandler>;
  /** By the name of their event. */
  readonly eventHandlers: ReadonlyMap<string, MessageHandler>;
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

/** What the backend does when a message arrives, unless the handler is switched off. */
export interface MessageHandler {
  readonly isEnabled: boolean;
  /** The body of a function, in JavaScript. */
  readonly script: string;
}

/** The known sections, as a document without faults has them: what the schemas say, in TypeScript. */
interface KnownSections {
  readonly [SECTIONS.model]?: Entries<ShapeEntry>;
  readonly [SECTIONS.requests]?: Entries<MessageEntry & { RequestShape: string; ResponseShape: string }>;
  readonly [SECTIONS.events]?: Entries<MessageEntry & { EventShape: string }>;
  readonly [SECTIONS.notifications]?: Entries<Described & { NotificationShape: string }>;
  readonly [SECTIONS.requestHandlers]?: Entries<HandlerEntry>;
  readonly [SECTIONS.eventHandlers]?: Entries<HandlerEntry>;
}

type Entries<T> = Readonly<Record<string, T>>;
type Described = { Description?: string };
type MessageEntry = Described & { AllowedSources: readonly 'Player'[] };
type HandlerEntry = { Enabled: boolean; Code: { Script: string } };
type FieldEntry = Described & { Shape: string; Cardinality: 'Required' | 'Optional' };
type ShapeEntry =
  | { Structure: Described & { Fields: Entries<FieldEntry> } }
  | { Enum: Described & { Values: readonly string[] } }
  | { List: Described & { Shape: string } }
  | { Map: Described & { Shape: string } };

/** Reads the model of sections in which `findFaults` finds nothing; for others it may be wrong or throw. */
export function readModel(sections: Sections): GameModel {
  const known = sections as KnownSections;
  const shapes = new Map(
    Object.entries(known[SECTIONS.model] ?? {}).map(([name, entry]) => [name, readShape(name, entry)]),
  );
  const structure = (name: string) => shapes.get(name) as Structure;
  const message = (name: string, { AllowedSources, Description = '' }: MessageEntry) => ({
    name,
    description: Description,
    isFromPlayers: AllowedSources.includes('Player'),
  });
  return {
    requests: Object.entries(known[SECTIONS.requests] ?? {}).map(([name, entry]) => ({
      ...message(name, entry),
      request: structure(entry.RequestShape),
      response: structure(entry.ResponseShape),
    })),
    events: Object.entries(known[SECTIONS.events] ?? {}).map(([name, entry]) => ({
      ...message(name, entry),
      event: structure(entry.EventShape),
    })),
    notifications: Object.entries(known[SECTIONS.notifications] ?? {}).map(([name, entry]) => ({
      name,
      description: entry.Description ?? '',
      notification: structure(entry.NotificationShape),
    })),
    shapes,
    requestHandlers: readHandlers(known[SECTIONS.requestHandlers]),
    eventHandlers: readHandlers(known[SECTIONS.eventHandlers]),
  };
}

function readHandlers(entries: Entries<HandlerEntry> = {}): ReadonlyMap<string, MessageHandler> {
  return new Map(
    Object.entries(entries).map(([name, { Enabled, Code }]) => [name, { isEnabled: Enabled, script: Code.Script }]),
  );
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

function typeOf(name: string): TypeReference {
  return isBuiltin(name) ? { kind: 'builtin', name } : { kind: 'shape', name };
}
