import type { Clock } from '../../clock.ts';
import type { Cluster, DirectoryEntry } from '../../cluster/cluster.ts';
import { isCallersMistake } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { andThen, inSteps, type MaybePromise, type Steps, settled } from '../../maybe-promise.ts';
import type { Metrics } from '../../metrics.ts';
import type { PlayerKey, SignedInPlayer } from '../../player-key.ts';
import type { RandomBytes } from '../../random.ts';
import { EMPTY_RUNTIME_ID } from '../../runtime-id.ts';
import type { BarRecord } from '../../store/bars.ts';
import type { StageRecord, Store } from '../../store/store.ts';
import type { Audit, Change } from '../audit/audit.ts';
import type { Events } from '../events/events.ts';
import type { RuntimeName } from '../runtime/message.ts';
import { getActiveStageInTime, isBeingDeleted, type NamedStage } from '../stages.ts';
import type { Blocking, BlockTerms } from './bars/blocking.ts';
import { type CreateToken, createCreateToken } from './create-token.ts';
import { listConnections } from './directory-look-up.ts';
import { createDisconnect, type DisconnectResult } from './disconnect.ts';
import { checkDisconnectRequest, type DisconnectRequest, detailsOf, onRecord } from './disconnect-request.ts';
import { createIdentify, type Identified, type NotIdentified } from './identify.ts';
import type { PlayerTokens, Session } from './player-tokens.ts';
import type { ProviderTokens } from './provider-tokens.ts';

/** A player who may connect, and the runtime that their connection opens on. */
export interface Admission {
  readonly isAdmitted: true;
  readonly player: SignedInPlayer;
  readonly runtime: RuntimeName;
  /** What the token of the hello says, if it says more than who the player is. */
  readonly session?: Session | undefined;
}

export interface NotAdmitted {
  readonly isAdmitted: false;
  /** The name of the close code. */
  readonly reason: 'unknown_game_key' | 'stage_deleted' | NotIdentified['reason'];
  /** What the close code does not say by itself. */
  readonly text?: string;
  readonly facts?: NotIdentified['facts'];
}

interface NamedPlayer extends NamedStage {
  readonly playerId: string;
}

export interface Players {
  /**
   * Finds the player of a hello: that of a token of the stage's own or of one of its identity providers, or without a
   * token a new guest, if the stage lets guests in. Nothing is stored for a guest.
   */
  admit(hello: { gameKey: string; token?: string | undefined }): Promise<Admission | NotAdmitted>;

  /** Must be called for a stage that another node has marked as being deleted, of which the store may know later. */
  forgetStage(stageId: string): void;

  /** A token for a later hello of this player. */
  issueToken(player: PlayerKey): string;

  /**
   * The same for whom an operator names, with the stage's game key. Throws `not_found`, as `disconnect` does, and
   * `validation` for a lifetime or claims that no token may have.
   */
  readonly createToken: CreateToken;

  /**
   * The player's connections on every node, oldest first. Throws `not_found`, or `internal` when the directory does not
   * say.
   */
  connections(player: NamedPlayer): Promise<readonly DirectoryEntry[]>;

  /**
   * Closes every connection of the player, or those that the request selects, and says of each whether its end is proven.
   * Throws `not_found` for a stage that is unknown or being deleted, `validation` for a request that contradicts itself, and
   * `internal` when the directory cannot say what there is to close: never an empty success. Answers within
   * `disconnectDeadlineMs` whatever the owners do. With a block, it is `Blocks.block` with the outcome of each connection, and
   * one record has both. A dry run, which closes nothing, is on record too.
   */
  disconnect(player: NamedPlayer, change: Change, request?: DisconnectRequest): MaybePromise<DisconnectedPlayer>;
}

/** What came of a disconnect, and the block that was made before, if the request asked for one. */
export type DisconnectedPlayer = DisconnectResult & { readonly block?: BarRecord | undefined };

export function createPlayers({
  store,
  audit,
  cluster,
  tokens,
  providerTokens,
  blocking,
  events,
  clock,
  random,
  log,
  metrics,
  settings,
}: {
  store: {
    readonly games: Pick<Store['games'], 'find'>;
    readonly stages: Pick<Store['stages'], 'find' | 'findByGameKey' | 'forget'>;
  };
  audit: Audit;
  cluster: Cluster;
  tokens: PlayerTokens;
  providerTokens: ProviderTokens;
  blocking: Pick<Blocking, 'termsOf' | 'farewell' | 'block'>;
  events: Pick<Events, 'emit'>;
  clock: Clock;
  random: RandomBytes;
  log: Log;
  metrics: Pick<Metrics, 'disconnected'>;
  settings: {
    readonly disconnectDeadlineMs: number;
    readonly maxFrameBytes: number;
    readonly playerTokenLifetimeMs: number;
  };
}): Players {
  const identify = createIdentify({ tokens, providerTokens, clock, random, settings });
  const createToken = createCreateToken({ store, audit, tokens, clock, settings });

  function getKey(named: NamedPlayer, timeoutMs: number): MaybePromise<PlayerKey> {
    const stage = getActiveStageInTime({ store, timeoutMs, clock }, named);
    return andThen(stage, ({ id: stageId }) => ({ stageId, playerId: named.playerId }));
  }

  const disconnect = createDisconnect({ cluster, clock, log });

  const end = inSteps(function* (
    named: NamedPlayer,
    change: Change,
    request: DisconnectRequest | undefined,
    terms: BlockTerms | undefined,
  ): Steps<DisconnectedPlayer> {
    const { requestId, cause, actor } = change;
    const startedAt = clock.monotonic();
    const spentMs = () => clock.monotonic() - startedAt;
    try {
      const { selection, isDryRun, isDetailed, farewell } = request ?? {};
      let result: DisconnectedPlayer;
      if (terms !== undefined && !isDryRun) {
        const { block, ended } = yield* settled(blocking.block(named, terms, change, { isDetailed }));
        result = { ...ended, block };
      } else {
        const player = yield* settled(getKey(named, settings.disconnectDeadlineMs));
        const timeoutMs = settings.disconnectDeadlineMs - spentMs();
        const order = { requestId, reason: request?.closeText, farewell };
        result = yield* settled(disconnect({ player, order, timeoutMs, selection, isDryRun, isDetailed }));
      }
      if (isDryRun) return result;
      const [closed, unproven] = [result.successes.length, result.failures.length];
      metrics.disconnected({ durationMs: spentMs(), successes: closed, failures: unproven });
      const data = { requestId, cause, actor, closed, unproven, reasonCode: farewell?.reason };
      events.emit({ type: 'player.disconnect_called', ...named, data });
      return result;
    } catch (error) {
      if (!isCallersMistake(error)) metrics.disconnected('failed');
      throw error;
    }
  });

  async function admit(hello: { gameKey: string; token?: string | undefined }): Promise<Admission | NotAdmitted> {
    const stage = await store.stages.findByGameKey(hello.gameKey);
    if (stage === undefined) return { isAdmitted: false, reason: 'unknown_game_key' };
    if (isBeingDeleted(stage)) return { isAdmitted: false, reason: 'stage_deleted' };
    const identified = await identify(stage, hello.token);
    if (!identified.isIdentified) return { ...identified, isAdmitted: false };
    // To fetch the keys of a provider may take seconds, in which the stage may have been told to take its tokens no more.
    const isLate = identified.issuer !== undefined;
    if (isLate && (await store.stages.findByGameKey(hello.gameKey))?.identity !== stage.identity)
      return await admit(hello);
    return admissionTo(stage, identified);
  }

  return {
    admit,

    forgetStage: (stageId) => store.stages.forget(stageId),

    issueToken: (player) => tokens.issue(player.stageId, player.playerId),

    createToken,

    async connections(named) {
      const timeoutMs = settings.disconnectDeadlineMs;
      const player = await getKey(named, timeoutMs);
      const { entries } = await listConnections({ cluster, clock, player, timeoutMs });
      return [...entries].sort((a, b) => a.createdAt - b.createdAt);
    },

    disconnect(named, change, request) {
      if (request !== undefined) checkDisconnectRequest(request, settings);
      const terms = request?.block && blocking.termsOf(request.block);
      const told = terms === undefined ? request : { ...request, farewell: blocking.farewell(terms) };
      const details = told && detailsOf(told);
      return audit.around(
        // V8 adds members to a copy many times as slowly as it makes the copy, so the new ones come first.
        details === undefined
          ? { playerId: named.playerId, ...change }
          : { playerId: named.playerId, ...change, details: { ...change.details, ...details } },
        () => end(named, change, request, terms),
        onRecord,
      );
    },
  };
}

function admissionTo(
  { id: stageId, gameId, gameName, name: stageName, runtimeId = EMPTY_RUNTIME_ID }: StageRecord,
  { playerId, signedInAtMs: signedInAt, session }: Identified,
): Admission {
  return {
    isAdmitted: true,
    player: { stageId, playerId, gameId, signedInAt },
    session,
    runtime: { id: runtimeId, stage: { stageId, gameName, stageName } },
  };
}
