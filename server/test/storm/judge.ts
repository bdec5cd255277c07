import { type ClusterHistory, findViolations } from '../simulation/checker.ts';
import type { Calls } from './calls.ts';
import type { Client } from './clients.ts';
import type { Rig, Times } from './rig.ts';
import { SLACK_MS } from './stage.ts';

/** The whole history of a run, as it can be kept in a file and judged again. */
export interface Recorded {
  readonly deadlineMs: number;
  /** One for each player: what is promised of one has nothing to do with the others. */
  readonly histories: readonly ClusterHistory[];
}

export function record(
  { disconnects, statuses }: Pick<Calls, 'disconnects' | 'statuses'>,
  {
    clients,
    outages,
    quiet,
    rig,
    times,
  }: {
    clients: readonly Client[];
    outages: ClusterHistory['outages'];
    /** Player → what is listed at the end. */
    quiet: ReadonlyMap<string, readonly string[]>;
    rig: Rig;
    times: Times;
  },
): Recorded {
  for (const call of disconnects) call.heldUpMs = heldUpMs(rig, call);
  const players = [...new Set(clients.map(({ player }) => player.playerId))];
  const histories = players.map((player): ClusterHistory => {
    const own = clients.filter((client) => client.player.playerId === player);
    const open = own.filter(({ isOpen }) => isOpen).map(({ id }) => id);
    const directory = quiet.get(player);
    return {
      disconnects: disconnects.filter((call) => call.player === player),
      statuses: statuses.filter((call) => call.player === player),
      passages: own.flatMap(({ id, served }) => served.map((at) => ({ id, at, kind: 'dispatched' as const }))),
      connections: own.map((client) => ({
        ...{ id: client.id, player, node: client.life, runtimeId: 'empty', welcomedAt: client.welcomedAt },
        ...(client.isOpen ? {} : { stoppedAt: client.stoppedAt() }),
      })),
      outages,
      deployments: [],
      ...(directory === undefined ? {} : { quiet: { directory, nodeTables: open, sockets: open } }),
    };
  });
  return { deadlineMs: times.deadlineMs + SLACK_MS, histories };
}

export function judge({ histories, deadlineMs }: Recorded): string[] {
  return histories.flatMap((history) => findViolations(history, { deadlineMs }));
}

/** How long the process that was called was stopped meanwhile. */
function heldUpMs(
  { nodes }: Rig,
  { coordinator, calledMs, returnedMs = calledMs }: Calls['disconnects'][number],
): number {
  const stops = nodes.find(({ name }) => name === coordinator)?.stops ?? [];
  return stops
    .map(({ fromMs, toMs }) => Math.max(0, Math.min(toMs, returnedMs) - Math.max(fromMs, calledMs)))
    .reduce((sum, ms) => sum + ms, 0);
}
