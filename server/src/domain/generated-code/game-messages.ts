import { type Shape, type Structure, typesIn } from '../../payload-shapes.ts';
import { shown } from '../../text.ts';
import type { EventMessage, GameModel, NotificationMessage, RequestMessage } from '../configuration/model.ts';
import { GAME_PREFIX, SYSTEM_PREFIX } from '../runtime/message-types.ts';

/** What one generated file is about: the messages of one extension that players can use, in order of their names. */
export interface GameMessages {
  /** An identifier in every language, and with an ending the name of the file: `DemoOperations`. */
  readonly name: string;
  /** For people: `the game "Demo"`. */
  readonly origin: string;
  /** A message's type on the wire is this and its name. */
  readonly typePrefix: string;
  readonly requests: readonly RequestMessage[];
  readonly events: readonly EventMessage[];
  readonly notifications: readonly NotificationMessage[];
  /** The shapes that the messages are made of, by name and in order, without those that only the backend uses. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

export function gameMessages(gameName: string, model: GameModel): GameMessages {
  const origin = `the game ${shown(gameName)}`;
  return { name: operationsName(gameName), origin, typePrefix: GAME_PREFIX, ...playersPart(model) };
}

/** The messages that every game has. */
export function identityMessages(): GameMessages {
  const request = structure('GetPlayerTokenRequest', []);
  const response = structure('GetPlayerTokenResponse', ['AuthenticationToken']);
  const model: PlayersPart = {
    requests: [
      {
        name: 'GetPlayerToken',
        description: 'A token with which the player can connect again, from another device too.',
        isFromPlayers: true,
        request,
        response,
      },
    ],
    events: [],
    notifications: [],
    shapes: new Map([request, response].map((shape) => [shape.name, shape])),
  };
  const origin = 'the extension GameSparks/Identity';
  return { name: 'IdentityOperations', origin, typePrefix: `${SYSTEM_PREFIX}Identity.`, ...playersPart(model) };
}

function structure(name: string, requiredTexts: readonly string[]): Structure {
  const fields = requiredTexts.map((field) => ({
    name: field,
    type: { kind: 'builtin', name: 'String' } as const,
    isRequired: true,
    description: '',
  }));
  return { kind: 'structure', name, description: '', fields };
}

/**
 * Never the name of the identity's file, not even on a file system that ignores case. The API lets a game have only
 * letters, digits, hyphens and underscores in its name; one in a database that somebody else has made may have a path.
 */
function operationsName(gameName: string): string {
  const name = gameName.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
  return name.toLowerCase() === 'identity' ? `${name}GameOperations` : `${name}Operations`;
}

type PlayersPart = Pick<GameMessages, 'requests' | 'events' | 'notifications' | 'shapes'>;

function playersPart(model: PlayersPart): PlayersPart {
  const requests = model.requests.filter((message) => message.isFromPlayers).sort(byName);
  const events = model.events.filter((message) => message.isFromPlayers).sort(byName);
  const notifications = [...model.notifications].sort(byName);
  const roots = [
    ...requests.flatMap(({ request, response }) => [request, response]),
    ...events.map(({ event }) => event),
    ...notifications.map(({ notification }) => notification),
  ];
  return { requests, events, notifications, shapes: reachable(roots, model.shapes) };
}

function reachable(roots: readonly Shape[], shapes: ReadonlyMap<string, Shape>): ReadonlyMap<string, Shape> {
  const found = new Map<string, Shape>();
  const left = [...roots];
  for (let shape = left.pop(); shape !== undefined; shape = left.pop()) {
    if (found.has(shape.name)) continue;
    found.set(shape.name, shape);
    for (const type of typesIn(shape)) if (type.kind === 'shape') left.push(getShape(shapes, type.name));
  }
  return new Map([...found.values()].sort(byName).map((shape) => [shape.name, shape]));
}

/** Throws when there is none, which a model without faults rules out. */
export function getShape(shapes: ReadonlyMap<string, Shape>, name: string): Shape {
  const shape = shapes.get(name);
  if (shape === undefined) throw new Error(`there is no shape ${JSON.stringify(name)}`);
  return shape;
}

/** Compares code units, which gives the same order everywhere, whatever the order in the document. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
