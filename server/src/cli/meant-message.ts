import { getGameConfiguration } from '../api/operations/configuration.ts';
import { SECTIONS } from '../domain/configuration/sections.ts';
import { GAME_PREFIX } from '../domain/runtime/message-types.ts';
import { findNearest } from '../nearest.ts';
import type { ManagementClient } from './management-client.ts';
import { valueAt } from './reply.ts';

/**
 * What to try instead of a message that nothing handles: the prefix is easily left out, a name misspelled, and a name does not
 * say which messages are events.
 */
export async function hintOfMessage(
  management: ManagementClient,
  game: string,
  { type, isEvent }: { readonly type: string; readonly isEvent: boolean },
): Promise<string> {
  if (!type.includes('.')) return `; did you mean ${GAME_PREFIX}${type}?`;
  if (!type.startsWith(GAME_PREFIX)) return '';
  const ofKind = isEvent ? '; if it is a request, leave --event out' : '; if it is an event, add --event';
  const sections = [SECTIONS.requests, SECTIONS.events];
  // A caller who may send need not be allowed to read the configuration.
  const reply = await management
    .call(getGameConfiguration, { GameName: game, Sections: sections })
    .catch(() => undefined);
  const [requests = [], events = []] = sections.map((section) =>
    Object.keys(Object(valueAt(reply, ['GameConfiguration', 'Sections', section, 'Attributes']))),
  );
  const name = type.slice(GAME_PREFIX.length);
  const [meant, others] = isEvent ? [events, requests] : [requests, events];
  if (others.includes(name)) return ofKind;
  const nearest = meant.includes(name) ? undefined : findNearest(name, meant);
  return nearest === undefined ? ofKind : `; did you mean ${GAME_PREFIX}${nearest}?`;
}
