import type { EventFilter, LoggedEvent } from '../../store/events/event-log.ts';

/** Events of the whole game are for every stage, and who has missed events must know, whatever else is wanted. */
export function isWanted({ type, stage, player }: LoggedEvent, { stages, types, playerId }: EventFilter): boolean {
  if (type === 'events.lost') return true;
  if (types.length > 0 && !types.includes(type)) return false;
  if (stages.length > 0 && stage !== undefined && !stages.includes(stage)) return false;
  return playerId === undefined || player === playerId;
}

/** An event as receivers get it, in JSON. */
export function toWire({ id, type, at, game, stage, player, node, data }: LoggedEvent) {
  return { id, type, timestamp: new Date(at).toISOString(), game, stage, player, node, data };
}
