import type { CloseFacts, CloseName } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { Barred, Cluster, RegistrationFault } from '../cluster/cluster.ts';
import { refusalOf } from '../domain/players/bars/bars.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { RandomBytes } from '../random.ts';
import type { Connection, Why } from './connection.ts';
import { createOneAtATime, endEach } from './slices.ts';

/** Hints spread the players' reconnects over this time, so that they do not all reach the next node at once. */
const RETURN_SPREAD_MS = 5_000;

/** Why a connection is not listed; `player_maybe_full` means that the player's other connections may be dead. */
export type ListingFault = RegistrationFault | Barred | 'player_maybe_full';

/** Why a connection could not be listed → the name of the close code that the player gets. */
const CLOSE_BY_FAULT = {
  era_changed: 'try_again_later',
  stage_closed: 'stage_deleted',
  runtime_changed: 'try_again_later',
  player_full: 'player_full',
  player_maybe_full: 'player_maybe_full',
} as const satisfies Record<Exclude<ListingFault, Barred>, CloseName>;

interface Refusal {
  readonly name: CloseName;
  readonly text: string | undefined;
  readonly facts: CloseFacts;
}

/** How the player of a connection that could not be listed is told. */
export function refusalBy(
  fault: ListingFault,
  { now, random, probeTimeoutMs }: { now: number; random: RandomBytes; probeTimeoutMs: number },
): Refusal {
  if (typeof fault !== 'string') return refusalOf(fault, { now, spreadMs: spread(random) });
  const facts = fault === 'player_maybe_full' ? { retryAfterMs: probeTimeoutMs } : {};
  return { name: CLOSE_BY_FAULT[fault], text: undefined, facts };
}

/** When a player should come back: at a random time within RETURN_SPREAD_MS. */
export function returnHint(random: RandomBytes): { readonly retryAfterMs: number } {
  return { retryAfterMs: spread(random) };
}

function spread(random: RandomBytes): number {
  return spreadOver(RETURN_SPREAD_MS, random);
}

/** A random time from 0 to `withinMs`. */
export function spreadOver(withinMs: number, random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return Math.round(((high * 256 + low) / 65_535) * withinMs);
}

/** Answers the request to send everybody away who is connected to a stage that is closed to newcomers. */
export function answerSendAway({
  cluster,
  ofStage,
  end,
  clock,
  random,
}: {
  cluster: Pick<Cluster, 'answer'>;
  ofStage: (stageId: string) => readonly Connection[];
  end: (connection: Connection, why: Why) => MaybePromise<void>;
  clock: Clock;
  random: RandomBytes;
}): void {
  const sending = createOneAtATime();
  cluster.answer('send_away', async ({ stageId, text, until }) => {
    const closedForMs = until === undefined ? 0 : Math.max(0, until - clock.now());
    const sendAway = (connection: Connection) => {
      const facts = { retryAfterMs: closedForMs + spread(random) };
      return end(connection, { name: 'draining', text: text ?? 'the stage is closed for the time being', facts });
    };
    await sending(stageId, () => endEach(ofStage(stageId), clock, sendAway));
    return {};
  });
}
