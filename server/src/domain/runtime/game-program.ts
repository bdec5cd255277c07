import type { PayloadShape, Structure } from '../../payload-shapes.ts';
import { createPayloadReaders, type PayloadReader, shapesUnder } from '../../payloads.ts';
import type { ScriptedRuntime } from '../../sandbox/sandbox.ts';
import type { GameModel, MessageHandler } from '../configuration/model.ts';
import { SYSTEM_REQUESTS } from '../configuration/system-requests.ts';
import { GAME_PREFIX } from './message-types.ts';

/** A request or an event. */
export interface ProgramMessage {
  readonly name: string;
  /** Whether players may send it; if not, only scripts may. */
  readonly isFromPlayers: boolean;
  readonly read: PayloadReader;
  readonly handler: MessageHandler | undefined;
}

/** A deployed configuration, ready to answer messages. */
export interface GameProgram {
  /** By type on the wire. */
  readonly requests: ReadonlyMap<string, ProgramMessage>;
  readonly events: ReadonlyMap<string, ProgramMessage>;
  /**
   * By type on the wire: the requests that every stage answers by itself and for which the game has a handler that is
   * on.
   */
  readonly overrides: ReadonlyMap<string, ProgramMessage>;
  /** Readers of payloads, by type on the wire. */
  readonly notifications: ReadonlyMap<string, PayloadReader>;
  /** What the sandbox runs. A handler has the name of its message, which its authors see in errors. */
  readonly scripted: ScriptedRuntime;
}

export function createGameProgram(
  model: GameModel,
  { id, gameId, stageId }: { readonly id: string; readonly gameId: string; readonly stageId: string },
): GameProgram {
  const { shapes } = model;
  const readerOf = createPayloadReaders(shapes);
  const { requestHandlers, eventHandlers } = model;
  const requests = model.requests.map(({ name, isFromPlayers, request }): [string, ProgramMessage] => [
    `${GAME_PREFIX}${name}`,
    { name, isFromPlayers, read: readerOf(request), handler: requestHandlers.get(name) },
  ]);
  const events = model.events.map(({ name, isFromPlayers, event }): [string, ProgramMessage] => [
    `${GAME_PREFIX}${name}`,
    { name, isFromPlayers, read: readerOf(event), handler: eventHandlers.get(name) },
  ]);
  const overrides = SYSTEM_REQUESTS.flatMap(({ name, isFromPlayers, request }): [string, ProgramMessage][] => {
    const handler = requestHandlers.get(name);
    if (handler?.isEnabled !== true) return [];
    return [[name, { name, isFromPlayers, handler, read: createPayloadReaders(alone(request))(request) }]];
  });
  const handled = model.requests.filter(({ name }) => requestHandlers.get(name)?.isEnabled === true);
  const responseShapes = shapesUnder(
    handled.map(({ response }) => response),
    shapes,
  );
  const responses = [
    ...handled.map(({ name, response }): [string, PayloadShape] => [
      name,
      { structure: response, shapes: responseShapes },
    ]),
    ...SYSTEM_REQUESTS.map(({ name, response }): [string, PayloadShape] => [
      name,
      { structure: response, shapes: alone(response) },
    ]),
  ];
  const scripts = [...requestHandlers, ...eventHandlers].flatMap(([name, { isEnabled, script }]): [string, string][] =>
    isEnabled ? [[name, script]] : [],
  );
  return {
    requests: new Map(requests),
    events: new Map(events),
    overrides: new Map(overrides),
    notifications: new Map(
      model.notifications.map(({ name, notification }) => [`${GAME_PREFIX}${name}`, readerOf(notification)]),
    ),
    scripted: { id, gameId, stageId, scripts: new Map(scripts), responses: new Map(responses) },
  };
}

/** The shapes of a structure that is not the game's and refers to no other. */
function alone(structure: Structure): PayloadShape['shapes'] {
  return new Map([[structure.name, structure]]);
}
