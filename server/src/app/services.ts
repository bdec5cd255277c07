import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Access } from '../domain/access/access.ts';
import { createAccessKeys } from '../domain/access/access-keys.ts';
import { createActivity } from '../domain/activity.ts';
import type { Arns } from '../domain/arn.ts';
import type { Audit } from '../domain/audit/audit.ts';
import { createAuditRecords } from '../domain/audit/records.ts';
import type { BackgroundWork } from '../domain/background.ts';
import type { SectionJobs } from '../domain/configuration/stored-sections.ts';
import { type ConfigurationsParts, createConfigurations } from '../domain/configurations.ts';
import { createDeletions, type DeletionsParts } from '../domain/deletions.ts';
import { createDeployments, type DeploymentsParts } from '../domain/deployments.ts';
import { createDownloads } from '../domain/downloads.ts';
import { createDeliveries, type DeliveriesParts } from '../domain/events/deliveries.ts';
import { createEventRecords } from '../domain/events/event-records.ts';
import { createEvents } from '../domain/events/events.ts';
import { createInterest } from '../domain/events/interest.ts';
import { createPostPace } from '../domain/events/post-pace.ts';
import type { WebhookPost } from '../domain/events/post-webhook.ts';
import { createWebhooks } from '../domain/events/webhooks.ts';
import type { Examine } from '../domain/examination.ts';
import { createExtensions } from '../domain/extensions.ts';
import { createGames, type GamesParts } from '../domain/games.ts';
import { createGeneratedCodeJobs, type GeneratedCodeJobsParts } from '../domain/generated-code-jobs.ts';
import { createListTurn } from '../domain/list-turns.ts';
import type { LongWork } from '../domain/long-work.ts';
import { createNodes } from '../domain/nodes.ts';
import { createPageTokens, createPaginate } from '../domain/pagination.ts';
import { createBarChanges } from '../domain/players/bars/bar-changes.ts';
import { createBarEnforcement } from '../domain/players/bars/bar-enforcement.ts';
import { createBarRoom } from '../domain/players/bars/bar-room.ts';
import { createBlocking } from '../domain/players/bars/blocking.ts';
import { createBlocks } from '../domain/players/bars/blocks.ts';
import { createStageAccess } from '../domain/players/bars/stage-access.ts';
import { createDisconnect } from '../domain/players/disconnect.ts';
import { createDisconnectJobWork } from '../domain/players/disconnect-jobs/disconnect-job-work.ts';
import { createDisconnectJobs, type DisconnectJobsParts } from '../domain/players/disconnect-jobs/disconnect-jobs.ts';
import { createKeptData } from '../domain/players/kept-data.ts';
import { createOnline } from '../domain/players/online.ts';
import { createPlayerTokens } from '../domain/players/player-tokens.ts';
import { createPlayers } from '../domain/players/players.ts';
import type { ProviderTokens } from '../domain/players/provider-tokens.ts';
import { createRehearsals } from '../domain/players/rehearsals.ts';
import { createTokenRenewal } from '../domain/players/token-renewal.ts';
import { createGameAnswers } from '../domain/runtime/game-answers.ts';
import { createNotifications } from '../domain/runtime/notifications.ts';
import { createNotify } from '../domain/runtime/notify.ts';
import type { Outside } from '../domain/runtime/outside.ts';
import { createPrograms } from '../domain/runtime/programs.ts';
import { createRuntimes } from '../domain/runtime/runtimes.ts';
import { createScriptDisconnect } from '../domain/runtime/script-disconnect.ts';
import { createLineWriter } from '../domain/runtime/script-logs.ts';
import { createScriptNotify } from '../domain/runtime/script-notify.ts';
import { createSnapshots, type SnapshotsParts } from '../domain/snapshots.ts';
import { createStageIdentities } from '../domain/stage-identities.ts';
import { createStageLogLines } from '../domain/stage-log-lines.ts';
import { createStages, isStageIdThere, isStageThere, type StagesParts } from '../domain/stages.ts';
import { createResourceTags } from '../domain/tags.ts';
import type { Keyring } from '../keyring.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { AuditReader } from '../store/audit/audit-log.ts';
import type { EventLog } from '../store/events/event-log.ts';
import type { PlayerData } from '../store/player-data/player-data.ts';
import type { StageLogs } from '../store/stage-logs/stage-logs.ts';
import type { Store } from '../store/store.ts';

type ServicesSettings = ConfigurationsParts['settings'] &
  DeletionsParts['settings'] &
  DeliveriesParts['settings'] &
  DeploymentsParts['settings'] &
  GamesParts['settings'] &
  GeneratedCodeJobsParts['settings'] &
  SnapshotsParts['settings'] &
  StagesParts['settings'] &
  DisconnectJobsParts['settings'] & {
    readonly playerTokenLifetimeMs: number;
    readonly disconnectDeadlineMs: number;
    readonly maxFrameBytes: number;
    readonly heartbeatMs: number;
    readonly maxBlocksPerGame: number;
    readonly scriptDisconnectsPerSecond: number;
    readonly scriptNotificationBytesPerSecond: number;
    readonly eventsMaxWatchers: number;
    readonly webhookMaxPostsPerSecond: number;
    readonly redisUrl: string | undefined;
    readonly region: string;
    readonly accountId: string;
  };

/** What scripts are run by, and what they reach. */
export interface CloudCode {
  readonly sandbox: Sandbox;
  readonly playerData: PlayerData;
  readonly stageLogs: StageLogs;
  readonly outside: Outside;
}

/** Nodes move their events within a fifth of a second; those that come later may be sent after later ones. */
const EVENT_HOLD_MS = 1_000;

/** What takes note of events, and what sends them. */
function createEventServices(
  parts: Omit<DeliveriesParts, 'cluster' | 'interest' | 'holdMs' | 'pace' | 'sealer'> & {
    readonly cluster: Cluster;
    readonly store: Store;
    readonly audit: Audit;
    readonly keyring: Keyring;
    readonly post: WebhookPost;
    readonly settings: ServicesSettings;
  },
) {
  const { keyring: sealer, settings } = parts;
  const interest = createInterest();
  const events = createEvents({ ...parts, interest });
  const holdMs = settings.redisUrl === undefined ? 0 : EVENT_HOLD_MS;
  const pace = createPostPace({ postsPerSecond: settings.webhookMaxPostsPerSecond, clock: parts.clock });
  const deliveries = createDeliveries({ ...parts, interest, holdMs, pace, sealer });
  return {
    events,
    deliveries,
    webhooks: createWebhooks({ ...parts, deliveries, interest, pace }),
    eventRecords: createEventRecords({ ...parts, interest }),
  };
}

/** Composes the rules over their contracts. This is the only composition: the tests and the bench use it too. */
export function createServices({
  store,
  audit,
  auditLog,
  access,
  actions,
  cluster,
  cloudCode,
  providerTokens,
  eventLog,
  webhookPost,
  keyring,
  settings,
  log,
  clock,
  random,
  metrics,
  examine,
  longWork,
  arns,
  databaseTime,
}: {
  store: Store;
  audit: Audit;
  auditLog: Pick<AuditReader, 'find'>;
  access: Pick<Access, 'createKey' | 'findCredential' | 'findKey' | 'listPageOfKeys' | 'revokeKey'>;
  /** Every action that a policy may name. */
  actions: readonly string[];
  cluster: Cluster;
  cloudCode: CloudCode;
  providerTokens: ProviderTokens;
  eventLog: EventLog;
  webhookPost: WebhookPost;
  keyring: Keyring;
  /** What the clock of a database says that nodes may share; missing where there is none. */
  databaseTime?: (() => Promise<number>) | undefined;
  settings: ServicesSettings;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  metrics: Pick<Metrics, 'disconnected' | 'ofStage' | 'events'>;
  examine: Examine;
  longWork: LongWork<SectionJobs>;
  arns: Arns;
}) {
  const { playerData, stageLogs } = cloudCode;
  const deletions = createDeletions({ store, playerData, stageLogs, eventLog, cluster, clock, log, settings });
  const outgoing = createEventServices({
    ...{ store, audit, cluster, keyring, eventLog, clock, random, log, metrics, settings },
    post: webhookPost,
  });
  const { events } = outgoing;
  const pageTokens = createPageTokens({ sealer: keyring });
  const paginate = createPaginate({ pageTokens });
  const turn = createListTurn();
  const tokens = createPlayerTokens({
    deriveKey: (purpose) => keyring.deriveKey(purpose),
    clock,
    lifetimeMs: settings.playerTokenLifetimeMs,
  });
  const disconnect = createDisconnect({ cluster, clock, log });
  const bars = createBarEnforcement({ store, cluster, disconnect, clock, log, settings });
  const room = createBarRoom({ store, clock, settings });
  const changes = createBarChanges({ store, enforcement: bars, room, clock });
  const blocking = createBlocking({ changes, events, settings });
  const players = createPlayers({
    ...{ store, audit, cluster, tokens, providerTokens, blocking, events },
    ...{ clock, random, log, metrics, settings },
  });
  const lines = createLineWriter({ stageLogs, isThere: (stageId) => isStageIdThere(store, stageId), clock, log });
  const programs = createPrograms({ store, longWork, clock, log });
  const notify = createNotify({ cluster, clock, log, settings });
  const answers = createGameAnswers({
    ...{ programs, isThere: (stage) => isStageThere(store, stage) },
    disconnect: createScriptDisconnect({ players, arns, clock, random, settings }),
    notify: createScriptNotify({ notify, clock, settings }),
    ...{ ...cloudCode, lines, metrics, clock, random, log },
  });
  const runtimes = createRuntimes({ renewToken: createTokenRenewal({ tokens, cluster, clock }), answers, log });
  const downloads = createDownloads({ store, findCredential: access.findCredential, sealer: keyring, longWork, clock });
  const parts = {
    ...{ store, audit, cluster, deletions, downloads, paginate, turn, examine, longWork },
    ...{ runtimes, events, clock, random, log, settings },
  };
  const jobWork = createDisconnectJobWork({ ...parts, arns, databaseTime });
  const deployments = createDeployments(parts);
  const generatedCodeJobs = createGeneratedCodeJobs(parts);
  return {
    ...outgoing,
    downloads,
    runtimes,
    answers,
    deployments,
    generatedCodeJobs,
    accessKeys: createAccessKeys({ ...parts, access, actions }),
    games: createGames(parts),
    stages: createStages(parts),
    stageIdentities: createStageIdentities({ ...parts, tokens, providerTokens }),
    configurations: createConfigurations(parts),
    snapshots: createSnapshots(parts),
    extensions: createExtensions({ paginate }),
    auditRecords: createAuditRecords({ auditLog, pageTokens, turn, clock }),
    resourceTags: createResourceTags({ store, audit, arns, clock }),
    clusterActivity: createActivity({ cluster, clock, log, settings }),
    clusterNodes: createNodes({ cluster, audit, clock, log, settings }),
    players,
    online: createOnline({ store, cluster, pageTokens, turn, clock, log, settings }),
    keptData: createKeptData({ ...parts, playerData, pageTokens }),
    bars,
    blocks: createBlocks({ store, blocking, changes, audit, paginate, turn, clock, settings }),
    stageAccess: createStageAccess({ changes, audit }),
    disconnectJobs: createDisconnectJobs({ ...parts, work: jobWork }),
    rehearsals: createRehearsals({ store, audit, cluster, clock, settings }),
    notifications: createNotifications({ store, audit, cluster, programs, notify, clock, log, settings }),
    scriptLines: lines,
    stageLogLines: createStageLogLines({ store, stageLogs, clock }),
    /** Resumed at a start, and stopped before the backends. Deletions come first, because they close players. */
    background: [deletions, deployments, generatedCodeJobs, bars, jobWork] as readonly BackgroundWork[],
  };
}

export type Services = ReturnType<typeof createServices>;
