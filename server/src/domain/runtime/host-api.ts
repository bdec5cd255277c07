import { MAX_PLAYER_ID_LENGTH } from '@respark/protocol';
import { ServiceError } from '../../errors.ts';
import type { MaybePromise } from '../../maybe-promise.ts';
import { PayloadFault } from '../../payloads.ts';
import type { PlayerKey } from '../../player-key.ts';
import type { HostAnswer } from '../../sandbox/sandbox.ts';
import type { PlayerData } from '../../store/player-data/player-data.ts';
import { shown } from '../../text.ts';
import type { DisconnectResult } from '../players/disconnect.ts';
import type { Session } from '../players/player-tokens.ts';
import type { GameProgram } from './game-program.ts';
import { ReadPayload, type RuntimeName } from './message.ts';
import { GAME_PREFIX } from './message-types.ts';
import type { Outside } from './outside.ts';
import { ScriptPlayerData } from './script-player-data.ts';

/** The invocation that a call comes from. */
export interface CallContext {
  readonly stage: RuntimeName['stage'];
  readonly program: GameProgram;
  readonly player: PlayerKey;
  /** Where the player is connected from. */
  readonly network?: string | undefined;
  readonly handler: string;
  readonly requestId: string;
  /** What the player's token said. */
  readonly session: Session | undefined;
  /** How many handlers, one after another, have raised events to come to this one; 0 for a player's message. */
  readonly raised: number;
  /** Runs the work when the invocation has ended, however it ends; at once if it has ended already. */
  readonly afterwards: (work: () => void) => void;
}

/** Runs the calls of one invocation. An error that the script may see is an answer. */
export type HostCalls = (operation: string, parameters: readonly unknown[]) => Promise<HostAnswer>;

export type HostApi = (context: CallContext) => HostCalls;

export interface HostApiParts {
  readonly playerData: Pick<PlayerData, 'get' | 'set' | 'remove'>;
  readonly outside: Outside;
  /**
   * Closes a player's connections, on record, with the promises of DisconnectPlayer. Throws `throttled` when the scripts
   * of the stage do so too often.
   */
  readonly disconnect: (
    context: CallContext,
    playerId: string,
    reason: string | undefined,
  ) => Promise<DisconnectResult>;
  /** Sends a notification to every connection of the player, on any node. */
  readonly notify: (player: PlayerKey, type: string, payload: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** Whether the stage still exists and is not being deleted. */
  readonly isThere: (stage: RuntimeName['stage']) => MaybePromise<boolean>;
  /** Runs the event's handler for the same player, after this one. */
  readonly raise: (context: CallContext, type: string, payload: ReadPayload) => void;
}

/** How many handlers in a row may raise events, so that no two of them call each other for ever. */
const MAX_RAISED = 8;
/** How much JSON the events that one handler raises may have together: they are kept until it has ended. */
const MAX_RAISED_CHARACTERS = 4_194_304;
const MAX_REASON_CHARACTERS = 64;
const MAX_KEYS = 100;

const PLAYER_ID = new RegExp(`^[\\w-]{1,${MAX_PLAYER_ID_LENGTH}}$`);

/** A mistake of the script in a call, which it may catch. */
class CallError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A result that is already JSON. It may be long, so it is neither parsed nor written again. */
class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A row of the host API: what one call of a script does. */
type HostOperation = (
  call: {
    readonly parts: HostApiParts;
    readonly context: CallContext;
    readonly data: ScriptPlayerData;
    /** Totals of all calls of the invocation. */
    readonly sum: { raisedCharacters: number };
  },
  parameters: readonly unknown[],
) => Promise<unknown>;

/** By the names under which `guest-api.ts` calls them. */
const OPERATIONS: Readonly<Record<string, HostOperation>> = {
  async GetData({ data }, [playerId, keys]) {
    return new JsonText(await data.get(playerIdOf(playerId), keysOf(keys)));
  },

  async SetData({ parts, context, data }, [playerId, values]) {
    await assertThere(parts, context);
    const player = { stageId: context.player.stageId, playerId: playerIdOf(playerId) };
    await data.set(player.playerId, objectOf(values, 'the argument of SetData'));
    if (await parts.isThere(context.stage)) return;
    // Data that is set after the deletion of the stage has removed its players' data would stay for good. If it is
    // unknown whether the stage is there, the data stays, because it is all that the player has.
    await parts.playerData.remove(player);
    throw stageGone(context);
  },

  async SendNotification({ parts, context }, [name, payload, playerId]) {
    const type = `${GAME_PREFIX}${textOf(name, 'the name of the notification')}`;
    const read = context.program.notifications.get(type);
    if (read === undefined) throw new CallError('unknown_message', `the game has no notification ${shown(name)}`);
    const player = { stageId: context.player.stageId, playerId: playerIdOf(playerId) };
    await parts.notify(player, type, fitting(read(payload ?? {})));
  },

  async RaiseEvent({ parts, context, sum }, [name, payload]) {
    const type = `${GAME_PREFIX}${textOf(name, 'the name of the event')}`;
    const event = context.program.events.get(type);
    if (event === undefined) throw new CallError('unknown_message', `the game has no event ${shown(name)}`);
    if (context.raised >= MAX_RAISED) {
      throw new CallError('too_deep', `${MAX_RAISED} handlers in a row have raised events: one of them must not`);
    }
    // A handler may raise a hundred events, which all come when it ends, and must cost little then.
    const given = new ReadPayload(JSON.stringify(fitting(event.read(payload ?? {}))));
    const raisedCharacters = sum.raisedCharacters + given.json.length;
    if (raisedCharacters > MAX_RAISED_CHARACTERS) {
      throw new CallError(
        'too_much',
        'the events that one handler raises may have 4 MiB of payloads together: send less',
      );
    }
    sum.raisedCharacters = raisedCharacters;
    await assertThere(parts, context);
    parts.raise(context, type, given);
  },

  async Disconnect({ parts, context }, [playerId, reason]) {
    const text = reason === undefined || reason === null ? undefined : textOf(reason, 'the reason');
    // A character has one or two code units, and counting hundreds of thousands of them takes milliseconds.
    const got = text === undefined || text.length > 10 * MAX_REASON_CHARACTERS ? text?.length : [...text].length;
    if (got !== undefined && got > MAX_REASON_CHARACTERS) {
      throw new CallError(
        'bad_argument',
        `the reason may have at most ${MAX_REASON_CHARACTERS} characters, got ${got > 10 * MAX_REASON_CHARACTERS ? 'many more' : got}`,
      );
    }
    await assertThere(parts, context);
    const { successes, failures } = await parts.disconnect(context, playerIdOf(playerId), text);
    return { DisconnectSuccesses: successes, DisconnectFailures: failures };
  },
};

const OUTSIDE: Readonly<Record<string, keyof Outside>> = {
  InvokeLambda: 'invokeLambda',
  GetItem: 'getItem',
  PutItem: 'putItem',
  UpdateItem: 'updateItem',
  DeleteItem: 'deleteItem',
  Query: 'query',
  Fetch: 'fetch',
};

export function createHostApi(parts: HostApiParts): HostApi {
  return (context) => {
    const { playerData, outside } = parts;
    const data = new ScriptPlayerData({ playerData, stageId: context.player.stageId });
    const sum = { raisedCharacters: 0 };
    return async (operation, parameters) => {
      const toOutside = OUTSIDE[operation];
      if (toOutside !== undefined) return await outside[toOutside](parameters);
      const perform = OPERATIONS[operation];
      if (perform === undefined) throw new Error(`the host API has no operation ${shown(operation)}`);
      try {
        const result = await perform({ parts, context, data, sum }, parameters);
        return result instanceof JsonText ? { resultJson: result.text } : { result: result ?? null };
      } catch (error) {
        return { error: errorFor(error) };
      }
    };
  };
}

/** The error that the script sees. Throws what is a fault of the server. */
function errorFor(error: unknown): { readonly code: string; readonly message: string } {
  // An error's message is not enumerable, so the JSON of the error itself would lack it.
  if (error instanceof CallError) return { code: error.code, message: error.message };
  if (error instanceof ServiceError && error.code !== 'internal') return { code: error.code, message: error.message };
  throw error;
}

/** Throws for a deleted stage: its scripts could act on a new stage of the same name, or leave data that nothing removes. */
async function assertThere({ isThere }: HostApiParts, context: CallContext): Promise<void> {
  if (!(await isThere(context.stage))) throw stageGone(context);
}

function stageGone({ stage }: CallContext): CallError {
  return new CallError('not_found', `stage ${shown(stage.stageName)} has been deleted`);
}

function fitting<T>(read: { readonly payload: T } | PayloadFault): T {
  if (read instanceof PayloadFault) throw new CallError('bad_payload', read.text);
  return read.payload;
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new CallError('bad_argument', `${what} must be text, got ${shown(value)}`);
}

function playerIdOf(value: unknown): string {
  if (typeof value === 'string' && PLAYER_ID.test(value)) return value;
  throw new CallError(
    'bad_argument',
    `a player id must be 1-${MAX_PLAYER_ID_LENGTH} of A-Z a-z 0-9 _ -, got ${shown(value)}`,
  );
}

function keysOf(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const isKeys = Array.isArray(value) && value.length <= MAX_KEYS && value.every((key) => typeof key === 'string');
  if (isKeys) return value as string[];
  const got = Array.isArray(value) && value.length > MAX_KEYS ? String(value.length) : shown(value);
  throw new CallError(
    'bad_argument',
    `the argument of GetData must be a list of at most ${MAX_KEYS} keys, each of them text, got ${got}`,
  );
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CallError('bad_argument', `${what} must be an object, got ${shown(value)}`);
}
