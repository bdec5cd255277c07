import { encode } from '@respark/protocol';
import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { ConnectionSelector } from '../../connection-selector.ts';
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { PayloadFault } from '../../payloads.ts';
import { EMPTY_RUNTIME_ID } from '../../runtime-id.ts';
import { shown } from '../../text.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { createListShare } from '../list-turns.ts';
import { orUnavailable } from '../or-unavailable.ts';
import { onRecordOf, readSelection, type Selection } from '../players/connection-filter.ts';
import { getActiveStageInTime, type NamedStage, type Stage, type StagesByName } from '../stages.ts';
import type { NodeReach, Notify } from './notify.ts';
import type { Programs } from './programs.ts';

/** A notification that an operator sends. */
export interface OperatorNotification {
  /** A type on the wire, such as `Custom.Game.EventStarts`. */
  readonly type: string;
  /** Any JSON value; one that does not fit the notification's shape is refused. */
  readonly payload: unknown;
  /** Whether to send nothing, and only count the connections that would get it. */
  readonly isDryRun: boolean;
}

/**
 * Notifications that operators send. They have the shapes of the configuration that is deployed to the stage, and reach
 * connections on its older runtimes too. The result says how far each node came: a notification that a node may or may
 * not have sent is not sent again. Throws `not_found` for a stage that is unknown or being deleted, `validation` for a
 * notification that the stage does not have, and `internal` when the directory cannot say which nodes to ask: nothing
 * has been sent then.
 */
export interface Notifications {
  /** To all connections of one player, on any node. */
  toPlayer(
    player: NamedStage & { readonly playerId: string },
    notification: OperatorNotification,
    change: Change,
  ): Promise<readonly NodeReach[]>;
  /**
   * To everybody who is connected to the stage, or to those whom the selection means. Each node is asked once, for its
   * own connections. Throws `throttled` when the stage gets them too often, and `validation` for a selection that is
   * not valid.
   */
  toStage(
    stage: NamedStage,
    notification: OperatorNotification,
    change: Change,
    selection?: Selection,
  ): Promise<readonly NodeReach[]>;
}

/** A node with very many players takes seconds to send, because it serves them meanwhile. */
const STAGE_TIMEOUT_MS = 15_000;
/** Everybody in a stage gets each of these, so it costs the nodes more the more players there are. */
const STAGE_RATE_PER_SECOND = 1;
const STAGE_BURST = 5;
const MAX_STAGES = 10_000;

export function createNotifications({
  store,
  audit,
  cluster,
  programs,
  notify,
  clock,
  log,
  settings,
}: {
  store: StagesByName;
  audit: Audit;
  cluster: Pick<Cluster, 'nodes' | 'request'>;
  programs: Programs;
  notify: Notify;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  settings: { readonly disconnectDeadlineMs: number; readonly maxFrameBytes: number };
}): Notifications {
  const { disconnectDeadlineMs: timeoutMs, maxFrameBytes } = settings;
  const buckets = createTokenBuckets({
    ...{ ratePerSecond: STAGE_RATE_PER_SECOND, burst: STAGE_BURST, maxKeys: MAX_STAGES, clock },
  });
  const share = createListShare(clock);

  const getStage = (named: NamedStage) => getActiveStageInTime({ store, timeoutMs, clock }, named);

  /** The payload as the notification's shape has it. Throws `validation`. */
  async function read(
    stage: Stage,
    { type, payload }: OperatorNotification,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { id: stageId, name, runtimeId = EMPTY_RUNTIME_ID } = stage;
    if (runtimeId === EMPTY_RUNTIME_ID) {
      const why = `nothing is deployed to stage "${name}", so it has no notifications: deploy a snapshot that has ${shown(type)} first`;
      throw new ServiceError('validation', why);
    }
    const { notifications } = await programs.load(stageId, runtimeId);
    const reader = notifications.get(type);
    if (reader === undefined) {
      const known = notifications.size === 0 ? 'it has none' : `it has ${listed([...notifications.keys()])}`;
      const why = `what is deployed to stage "${name}" has no notification ${shown(type)}: ${known}`;
      throw new ServiceError('validation', why);
    }
    const result = reader(payload);
    if (result instanceof PayloadFault) throw new ServiceError('validation', `${type}: ${result.text}`);
    // A script's unknown members are left out. An operator's are refused, because what was sent to everybody cannot be
    // sent again.
    if (result.unknown.length > 0) {
      throw new ServiceError('validation', `${type} has no such members: ${listed(result.unknown)}`);
    }
    const bytes = Buffer.byteLength(encode({ kind: 'notification', type, payload: result.payload }));
    if (bytes > maxFrameBytes) {
      const why = `the notification has ${bytes} bytes, and may have ${maxFrameBytes} (RESPARK_MAX_FRAME_BYTES): send less`;
      throw new ServiceError('validation', why);
    }
    return result.payload;
  }

  function recorded(change: Change, { type, isDryRun }: OperatorNotification, selection?: Selection): Change {
    const about = selection && onRecordOf(selection);
    return { ...change, details: { ...change.details, ...about, type, ...(isDryRun && { dryRun: 'true' }) } };
  }

  async function askNode(
    node: string,
    request: { stageId: string; type: string; payload: Readonly<Record<string, unknown>>; isDryRun: boolean },
    selector: ConnectionSelector | undefined,
  ): Promise<NodeReach> {
    try {
      const reply = await (selector === undefined
        ? cluster.request(node, 'notify_stage', request, STAGE_TIMEOUT_MS)
        : cluster.request(node, 'notify_connections', { ...request, selector }, STAGE_TIMEOUT_MS));
      return { node, connections: reply.reached };
    } catch (error) {
      log.warn(
        { err: error, node, type: request.type },
        'a node did not say how many connections it sent a notification to',
      );
      return { node, connections: undefined };
    }
  }

  const around = (change: Change, rule: () => Promise<readonly NodeReach[]>) =>
    audit.around(change, rule, onRecordOfReach);

  return {
    toPlayer: async (player, notification, change) =>
      await around({ playerId: player.playerId, ...recorded(change, notification) }, async () => {
        const { type, isDryRun } = notification;
        const stage = await getStage(player);
        const payload = await read(stage, notification);
        return await notify({ stageId: stage.id, playerId: player.playerId }, type, payload, { isDryRun });
      }),

    toStage: async (named, notification, change, selection) =>
      await around(recorded(change, notification, selection), async () => {
        const { type, isDryRun } = notification;
        const stage = await getStage(named);
        const selector = selection && readSelection(selection, stage);
        const payload = await read(stage, notification);
        const retryAfterMs = isDryRun ? 0 : buckets.take(stage.id);
        if (retryAfterMs > 0) {
          const message = `a stage gets ${STAGE_RATE_PER_SECOND} notification a second, and ${STAGE_BURST} at once: try again in ${retryAfterMs} ms`;
          throw new ServiceError('throttled', message, { retryAfterMs });
        }
        const records = await orUnavailable('directory of nodes', () => cluster.nodes(), timeoutMs, clock);
        const nodes = records.map(({ node }) => node).sort();
        const request = { stageId: stage.id, type, payload, isDryRun };
        const ask = () => Promise.all(nodes.map((node) => askNode(node, request, selector)));
        // Dry runs have no other limit.
        return await (isDryRun ? share(stage.gameId, ask) : ask());
      }),
  };
}

/** What the audit record says of a notification that was sent. */
function onRecordOfReach(nodes: readonly NodeReach[]): { readonly counts: Readonly<Record<string, number>> } {
  const reached = nodes.reduce((sum, { connections = 0 }) => sum + connections, 0);
  return { counts: { reached, silentNodes: nodes.filter(({ connections }) => connections === undefined).length } };
}

const MAX_LISTED = 10;

function listed(names: readonly string[]): string {
  const shownNames = names.slice(0, MAX_LISTED).map((name) => shown(name));
  const more = names.length > MAX_LISTED ? [`${names.length - MAX_LISTED} more`] : [];
  return [...shownNames, ...more].join(', ');
}
