import type { Clock } from '../../clock.ts';
import type { EventFilter, EventLog } from '../../store/events/event-log.ts';
import { isWanted, toWire } from './event-filter.ts';

export interface WatchedLog {
  readonly eventLog: Pick<EventLog, 'read'>;
  readonly clock: Pick<Clock, 'now'>;
}

export interface WatchedGameName {
  readonly id: string;
  readonly name: string;
}

/** The log gives fewer where so many would hold the process up. */
const MAX_OF_STEP = 256;

/** Something to tell, as text once somebody wants it. */
export interface Told {
  readonly position: number;
  readonly isWanted: (filter: EventFilter) => boolean;
  readonly text: () => string;
}

/** Reads a few events behind a position; what was lost comes first. */
export async function readStep(
  { eventLog, clock }: WatchedLog,
  game: WatchedGameName,
  { after, filter }: { readonly after: number; readonly filter?: EventFilter },
): Promise<{ readonly told: Told[]; readonly cursor: number; readonly isEnd: boolean }> {
  const page = await eventLog.read(game.id, { after, limit: MAX_OF_STEP, filter });
  const told = page.events.map(({ position, event }) => ({
    position,
    isWanted: (wanted: EventFilter) => isWanted(event, wanted),
    text: once(() => formatted(position, event.type, toWire(event))),
  }));
  if (page.missed === 0) return { ...page, told };
  const type = 'events.lost';
  const lost = { type, timestamp: new Date(clock.now()).toISOString(), game: game.name, data: { count: page.missed } };
  const position = after + page.missed;
  return { ...page, told: [{ position, isWanted: () => true, text: () => formatted(position, type, lost) }, ...told] };
}

function once(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The id is the position, from which `Last-Event-ID` goes on. */
function formatted(position: number, type: string, event: object): string {
  return `id: ${position}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
}
