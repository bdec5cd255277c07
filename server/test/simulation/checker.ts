import { isNewerRuntime } from '../../src/runtime-id.ts';
import type { StageLook } from './stage-look.ts';

/** One DisconnectPlayer call as its caller saw it. `…At` counts what happened in the history; `…Ms` is its time. */
export interface DisconnectRecord {
  readonly player: string;
  /** The node that was called. */
  readonly coordinator: string;
  readonly calledAt: number;
  readonly calledMs: number;
  returnedAt?: number;
  returnedMs?: number;
  /** Undefined while the call has not returned; `unavailable` is the retryable 500. */
  outcome?: { readonly successes: readonly string[]; readonly failures: readonly string[] } | 'unavailable';
  /** What the list step returned, if the call got that far. */
  listed?: readonly string[];
  /** The request id, which close frames tell the players. */
  readonly requestId: string;
  /** How long the coordinator's process was stopped meanwhile. */
  heldUpMs?: number;
  /** The coordinator was killed before it could answer. */
  isLost?: true;
  /** Incarnations that were killed, or past their lease, when the call returned. */
  goneNodes?: readonly string[];
  /** Those of them that were killed, whose sockets the kernel has closed; undefined where nobody can tell. */
  killedNodes?: readonly string[];
}

interface StatusRecord {
  readonly player: string;
  readonly calledAt: number;
  readonly ids: readonly string[];
}

/** A message of a connection that was dispatched, or handed to the kernel. */
interface Passage {
  readonly at: number;
  readonly id: string;
  readonly kind: 'dispatched' | 'handed to kernel';
}

interface ConnectionRecord {
  readonly id: string;
  readonly player: string;
  readonly node: string;
  readonly welcomedAt: number;
  readonly runtimeId: string;
  stoppedAt?: number;
  /** The call that stopped it, if one did. */
  stoppedBy?: string;
}

/** A runtime of the stage, of which all nodes had heard by then. */
interface DeploymentRecord {
  readonly completedAt: number;
  readonly runtimeId: string;
}

/** A time in which calls at a node cannot have learned what the directory lists. */
interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Undefined for all nodes. */
  readonly coordinator?: string;
}

/** What happened, as plain data: the simulation and the tests of real processes both write one. */
export interface ClusterHistory {
  readonly disconnects: readonly DisconnectRecord[];
  readonly statuses: readonly StatusRecord[];
  readonly passages: readonly Passage[];
  readonly connections: readonly ConnectionRecord[];
  readonly outages: readonly Outage[];
  readonly deployments: readonly DeploymentRecord[];
  /** Incarnations that might act and were not among the nodes, as a node was told them that asked all. */
  readonly leftOut?: readonly string[];
  /** When all was quiet at the end; undefined where the nodes could not be asked. */
  readonly quiet?: {
    readonly directory: readonly string[];
    readonly nodeTables: readonly string[];
    readonly sockets: readonly string[];
    /** The players of the sockets, and what a node then says of the stage; undefined if it did not answer. */
    readonly players?: number;
    readonly stage?: StageLook | undefined;
  };
}

/** The invariants that a history breaks, one line for each. */
export function findViolations(history: ClusterHistory, { deadlineMs }: { deadlineMs: number }): string[] {
  const faults: string[] = [];
  for (const call of history.disconnects) {
    const name = `the disconnect of ${call.player} at ${call.calledAt}`;
    if (call.returnedAt === undefined || call.returnedMs === undefined) {
      if (!call.isLost) faults.push(`I6: ${name} did not return`);
      continue;
    }
    const tookMs = call.returnedMs - call.calledMs - (call.heldUpMs ?? 0);
    if (tookMs > deadlineMs) faults.push(`I6: ${name} took ${Math.round(tookMs)} ms`);
    const isBlind = history.outages.some(
      ({ fromMs, toMs, coordinator = call.coordinator }) =>
        fromMs < call.calledMs && (call.returnedMs as number) < toMs && coordinator === call.coordinator,
    );
    if (call.outcome === undefined || call.outcome === 'unavailable') continue;
    if (isBlind) faults.push(`I7: ${name} was answered although the directory was away or recovering`);
    faults.push(...findFalseAnswers(history, call, call.returnedAt, call.outcome, name));
  }
  faults.push(...findStrangers(history), ...findOutdated(history), ...findLeftovers(history));
  for (const node of history.leftOut ?? [])
    faults.push(`I10: ${node} may act and was left out of what goes to all nodes`);
  return faults;
}

function findFalseAnswers(
  history: ClusterHistory,
  call: DisconnectRecord,
  returnedAt: number,
  { successes, failures }: { readonly successes: readonly string[]; readonly failures: readonly string[] },
  name: string,
): string[] {
  const faults: string[] = [];
  const succeeded = new Set(successes);
  for (const { id, at, kind } of history.passages) {
    if (succeeded.has(id) && at > returnedAt) faults.push(`I1: ${id}, a success of ${name}, was ${kind} at ${at}`);
  }
  for (const { calledAt, ids } of history.statuses) {
    const relisted = calledAt > returnedAt ? ids.find((id) => succeeded.has(id)) : undefined;
    if (relisted !== undefined) faults.push(`I2: ${relisted}, a success of ${name}, is listed at ${calledAt}`);
  }
  for (const { id, node, stoppedAt = Number.POSITIVE_INFINITY } of history.connections) {
    // The socket of a node that is only past its lease may be open until the node looks.
    if (call.killedNodes === undefined || !succeeded.has(id) || stoppedAt < returnedAt) continue;
    if (!call.killedNodes.includes(node)) faults.push(`I1: ${id}, a success of ${name}, had not stopped`);
  }
  const answered = new Set([...successes, ...failures]);
  for (const connection of history.connections) {
    if (connection.player !== call.player || connection.welcomedAt > call.calledAt) continue;
    if ((connection.stoppedAt ?? Number.POSITIVE_INFINITY) < returnedAt) continue;
    if (call.goneNodes?.includes(connection.node)) {
      // What it had written before may still go out.
      const isLate = ({ id, at, kind }: Passage) => id === connection.id && at > returnedAt && kind === 'dispatched';
      const late = history.passages.find(isLate);
      if (late !== undefined) faults.push(`I3: ${late.id} was ${late.kind} at ${late.at}, past the lease of its node`);
      continue;
    }
    if (failures.length === 0) faults.push(`I3: ${connection.id} goes on after ${name}, which has no failures`);
    else if (!answered.has(connection.id)) faults.push(`I4: ${connection.id} goes on and is in no list of ${name}`);
  }
  const both = successes.find((id) => failures.includes(id));
  if (both !== undefined) faults.push(`I4: ${both} is in both lists of ${name}`);
  return faults;
}

/** I5: a call stops only what its list step found. */
function findStrangers({ disconnects, connections }: ClusterHistory): string[] {
  const calls = new Map(disconnects.map((call) => [call.requestId, call]));
  return connections.flatMap(({ id, stoppedBy }) => {
    const call = stoppedBy === undefined ? undefined : calls.get(stoppedBy);
    return call === undefined || call.listed?.includes(id)
      ? []
      : [`I5: ${id} was stopped by a call that did not list it`];
  });
}

/** I9: once all nodes have heard of a runtime, no connection opens on an older one. */
function findOutdated({ deployments, connections }: ClusterHistory): string[] {
  return connections.flatMap(({ id, welcomedAt, runtimeId }) => {
    const newer = deployments.find(
      (deployment) => deployment.completedAt < welcomedAt && isNewerRuntime(deployment.runtimeId, runtimeId),
    );
    return newer === undefined ? [] : [`I9: ${id} opened on ${runtimeId} at ${welcomedAt}, after ${newer.runtimeId}`];
  });
}

/** I8: when all is quiet, the directory, its list of the stage, the nodes' tables and the clients agree. */
function findLeftovers({ quiet }: ClusterHistory): string[] {
  if (quiet === undefined) return [];
  const [directory, nodeTables, sockets] = [quiet.directory, quiet.nodeTables, quiet.sockets].map((ids) =>
    [...ids].sort().join(' '),
  );
  const faults: string[] = [];
  if (directory !== sockets) faults.push(`I8: the directory lists [${directory}], the clients are [${sockets}]`);
  if (nodeTables !== sockets) faults.push(`I8: the nodes know [${nodeTables}], the clients are [${sockets}]`);
  if (quiet.players === undefined) return faults;
  if (quiet.stage === undefined) return [...faults, 'I8: a node does not say who is in the stage'];
  const { ids, players, connections } = quiet.stage;
  const inStage = [...ids].sort().join(' ');
  if (inStage !== sockets) faults.push(`I8: the stage lists [${inStage}], the clients are [${sockets}]`);
  const counted = `${connections} of ${players} players`;
  const there = `${quiet.sockets.length} of ${quiet.players} players`;
  if (counted !== there) faults.push(`I8: the stage counts ${counted}, the clients are ${there}`);
  return faults;
}
