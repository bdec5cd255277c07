import type { ActivityStep } from '../activity.ts';
import type { ConnectionSelector, NamedConnection } from '../connection-selector.ts';
import type { DeliveryAttempt } from '../delivery-attempt.ts';
import type { DisconnectOrder, ProvenEnd } from '../disconnect-order.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { PlayerKey } from '../player-key.ts';
import type { RehearsalOrder } from '../rehearsal-order.ts';

/**
 * What one node may ask another: one row per kind, with its request and its reply. The folder that owns the subject
 * answers it (`Cluster.answer`). Both are plain data, because they may cross a network.
 */
export interface NodeCalls {
  /** Ends these connections of the player. */
  readonly disconnect: {
    readonly request: DisconnectOrder & {
      readonly player: PlayerKey;
      readonly connectionIds: readonly string[];
      /** Whether the reply says how each end was proven. */
      readonly isDetailed?: boolean | undefined;
      /** If given, those go on whose players have signed in later. A node of an earlier version ends them too. */
      readonly signedInBefore?: number | undefined;
    };
    readonly reply: {
      /** Those of `connectionIds` that have ended and that the directory no longer lists. */
      readonly closedIds: readonly string[];
      /** Those that go on because of `signedInBefore`, if that is given. */
      readonly keptIds?: readonly string[];
      /** One for each of `closedIds`, if asked for. A node of an earlier version gives none. */
      readonly ends?: readonly ProvenEnd[];
    };
  };
  /**
   * Pings these connections of the player, and ends those of which nothing arrives within `probeTimeoutMs`. The reply
   * comes as soon as every connection has answered or ended.
   */
  readonly probe: {
    readonly request: { readonly player: PlayerKey; readonly connectionIds: readonly string[] };
    readonly reply: {
      /** Those that have shown to be alive. */
      readonly aliveIds: readonly string[];
      /** Those that have ended and that the directory no longer lists. */
      readonly closedIds: readonly string[];
    };
  };
  /** Ends these connections of the player, because newer ones take their places. */
  readonly replace: {
    readonly request: { readonly player: PlayerKey; readonly connectionIds: readonly string[] };
    /** Those of `connectionIds` that have ended and that the directory no longer lists. */
    readonly reply: { readonly closedIds: readonly string[] };
  };
  /** Sends a notification on those of the connections that are open. */
  readonly notify: {
    readonly request: {
      readonly player: PlayerKey;
      readonly connectionIds: readonly string[];
      readonly type: string;
      readonly payload: Readonly<Record<string, unknown>>;
    };
    readonly reply: {
      /** How many of the connections it was written to. A node of an earlier version does not say. */
      readonly reached?: number;
    };
  };
  /** Sends a notification to everybody who is connected to the stage on this node. */
  readonly notify_stage: {
    readonly request: {
      readonly stageId: string;
      readonly type: string;
      readonly payload: Readonly<Record<string, unknown>>;
      /** Whether to send nothing, and only count. */
      readonly isDryRun: boolean;
    };
    /** How many connections it was written to. */
    readonly reply: { readonly reached: number };
  };
  /** The same, to those whom the selector means. A node of an earlier version does not answer it. */
  readonly notify_connections: {
    readonly request: NodeCalls['notify_stage']['request'] & { readonly selector: ConnectionSelector };
    readonly reply: NodeCalls['notify_stage']['reply'];
  };
  /** Ends or disturbs one connection as an accident would, for a rehearsal. */
  readonly rehearse: {
    readonly request: RehearsalOrder;
    readonly reply: {
      /** False when the connection has already ended. */
      readonly isPlayed: boolean;
      /** When it began, milliseconds since 1970, and the code of the close frame, where there is one. */
      readonly at?: number;
      readonly code?: number;
    };
  };
  /** Connections in the stage open on this runtime from now on. */
  readonly runtime_deployed: {
    readonly request: { readonly stageId: string; readonly runtimeId: string };
    readonly reply: Readonly<Record<string, never>>;
  };
  /** Which of the stage's runtimes have connections on the node. */
  readonly runtimes_in_use: {
    readonly request: { readonly stageId: string };
    readonly reply: { readonly runtimeIds: readonly string[] };
  };
  /** What only the owner knows of these connections in the stage. */
  readonly describe_connections: {
    readonly request: {
      readonly stageId: string;
      readonly connectionIds: readonly string[];
      /** The request id of a job, if one is asking. */
      readonly jobRequestId?: string | undefined;
    };
    readonly reply: {
      /** Those that the node has not forgotten since they ended. */
      readonly connections: readonly { readonly connectionId: string; readonly addressGroup: string }[];
      /** Those that the job has ended. A node of an earlier version does not say. */
      readonly endedByJobIds?: readonly string[];
    };
  };
  /** How many connections in the stage the selector means on this node, and how many players have them. */
  readonly count_connections: {
    readonly request: { readonly stageId: string; readonly selector: ConnectionSelector };
    readonly reply: { readonly connections: number; readonly players: number };
  };
  /**
   * Finds connections that the selector means and that registered before a job began, `limit` at most, in no order that
   * means anything. Each node tells by its own clocks what was before, so wrong clocks of other nodes do no harm.
   */
  readonly match_connections: {
    readonly request: {
      readonly stageId: string;
      readonly selector: ConnectionSelector;
      /** How long ago the job began. A node of an earlier version does not say. */
      readonly beganAgoMs?: number | undefined;
      /**
       * What the job itself asks for, if `beganAgoMs` is there: the selector's `connectedBefore` is then for nodes of
       * an earlier version, which know by that alone when the job began, by the clock of the node that asks.
       */
      readonly connectedBefore?: number | undefined;
      readonly limit: number;
    };
    readonly reply: { readonly connections: readonly NamedConnection[] };
  };
  /**
   * Ends these connections in the stage, between the node's other work. Each request of a job names all of its connections on the
   * node of which it knows nothing yet.
   */
  readonly end_connections: {
    readonly request: {
      readonly stageId: string;
      readonly connections: readonly NamedConnection[];
      readonly order: DisconnectOrder;
      /** If given, the players are asked to come back, each after a random time within this one. */
      readonly returnWithinMs?: number | undefined;
    };
    readonly reply: {
      /** Those that have ended because of the request, and that the directory no longer lists. */
      readonly closedIds: readonly string[];
      /** Those that had ended before it came, and that the directory no longer lists. */
      readonly goneIds: readonly string[];
      /** Those among them that an earlier request of the same order has ended. A node of an earlier version does not say. */
      readonly endedBeforeIds?: readonly string[];
    };
  };
  /** What the node says of itself at the moment. */
  readonly describe_node: {
    readonly request: Readonly<Record<string, never>>;
    readonly reply: {
      /** The URL of its management listener. */
      readonly url: string;
      /** Players' connections that are not closed yet. */
      readonly connections: number;
      readonly isDraining: boolean;
    };
  };
  /** What has happened on the node, in steps of some seconds, as far as it remembers. */
  readonly report_activity: {
    /** Only steps that ended later, milliseconds since 1970. */
    readonly request: { readonly after: number };
    /** Oldest first. */
    readonly reply: { readonly steps: readonly ActivityStep[] };
  };
  /** The latest attempts to send events to a webhook, as far as the node remembers. A node of an earlier version does not answer it. */
  readonly describe_deliveries: {
    readonly request: { readonly webhookId: string };
    readonly reply: {
      /** The newest first. */
      readonly attempts: readonly DeliveryAttempt[];
      /** How many events wait; only the node that delivers the webhook says so. */
      readonly waiting?: number | undefined;
    };
  };
  /** Has the node stop as at a SIGTERM. The reply comes at once; asking again changes nothing. */
  readonly drain_node: {
    readonly request: Readonly<Record<string, never>>;
    readonly reply: Readonly<Record<string, never>>;
  };
  /** Sends everybody who is connected to the stage away, to come back later. The reply comes when all have been told. */
  readonly send_away: {
    readonly request: {
      readonly stageId: string;
      readonly text?: string | undefined;
      /** When they may come back, milliseconds since 1970; undefined when that is not known. */
      readonly until?: number | undefined;
    };
    readonly reply: Readonly<Record<string, never>>;
  };
  /** Ends every connection in the stage. The reply comes when the directory no longer lists any of this node's. */
  readonly close_stage: {
    readonly request: { readonly stageId: string };
    readonly reply: Readonly<Record<string, never>>;
  };
}

export type NodeCallKind = keyof NodeCalls;
export type NodeRequest<Kind extends NodeCallKind> = NodeCalls[Kind]['request'];
export type NodeReply<Kind extends NodeCallKind> = NodeCalls[Kind]['reply'];
export type AnswerNodeCall<Kind extends NodeCallKind> = (request: NodeRequest<Kind>) => MaybePromise<NodeReply<Kind>>;
