import type { ConnectionFilter, Selection } from '../../domain/players/connection-filter.ts';
import { NAME_PATTERN, playerId } from '../operations/shapes.ts';
import { boolean, exact, list, string, structure, timestamp } from '../shape.ts';

export const node = string({ min: 1, max: 36, pattern: '^[a-z0-9-]+$' });
export const runtime = string({ min: 1, max: 36, pattern: NAME_PATTERN });
const addresses = string({ min: 2, max: 49, pattern: '^[0-9a-fA-F.:/]+$' });

/** Which connections of a stage a call is about. */
export const filterMembers = {
  Address: addresses,
  ConnectedBefore: timestamp(),
  ConnectedSince: timestamp(),
  Node: node,
  PlayerIdPrefix: playerId,
  RuntimeId: runtime,
};

export interface FilterInput {
  readonly Address?: string | undefined;
  readonly ConnectedBefore?: number | undefined;
  readonly ConnectedSince?: number | undefined;
  readonly Node?: string | undefined;
  readonly PlayerIdPrefix?: string | undefined;
  readonly RuntimeId?: string | undefined;
}

export function toFilter(input: FilterInput): ConnectionFilter {
  const { Address: addresses, ConnectedBefore: connectedBefore, ConnectedSince: connectedSince } = input;
  const { Node: node, PlayerIdPrefix: playerIdPrefix, RuntimeId: runtime } = input;
  return { addresses, connectedBefore, connectedSince, node, playerIdPrefix, runtime };
}

/**
 * A caller who may ask whether a connection comes from a range of addresses can find the address out, range by range, and so must
 * be allowed to see addresses.
 */
export const actionsOfFilter = ({ Address }: FilterInput = {}): readonly string[] =>
  Address === undefined ? [] : ['respark:ListConnections'];

const MAX_PLAYER_IDS = 10_000;
/** What a body with so many ids of players takes at most. */
export const MAX_SELECTOR_BODY_BYTES = 524_288;

/** Says which players a call is about. */
export const selector = exact(
  structure({
    ...filterMembers,
    BeforeRuntimeId: runtime,
    Everybody: boolean(),
    PlayerIds: list(playerId, { min: 1, max: MAX_PLAYER_IDS }),
  }),
);

export interface SelectorInput extends FilterInput {
  readonly BeforeRuntimeId?: string | undefined;
  readonly Everybody?: boolean | undefined;
  readonly PlayerIds?: readonly string[] | undefined;
}

export function selectionOf(input: SelectorInput): Selection {
  const { Everybody: isEverybody = false, PlayerIds: playerIds, BeforeRuntimeId: beforeRuntimeId } = input;
  return { isEverybody, playerIds, filter: { ...toFilter(input), beforeRuntimeId } };
}

export const FILTERS =
  'Filters can be combined. `RuntimeId` is the id of a runtime, which is that of its deployment, `CURRENT` for what the stage has now, or `OLDER` for everything before; a stage without a deployment has the runtime `empty`. `Node` is an id that ListNodes gives. `Address` is an IP address or a CIDR range; IPv6 addresses are known by their /64 alone; a caller who asks for addresses could find out a player’s, so policies must allow `respark:ListConnections` too. `ConnectedSince` is met at that time or later, `ConnectedBefore` until then.';
export const SELECTORS = `A \`Selector\` has filters, \`PlayerIds\` with up to 10,000 players, or \`"Everybody": true\` and nothing else. A member that is misspelled, or null, is a \`ValidationException\`. ${FILTERS} \`BeforeRuntimeId\` means runtimes that are older than that one.`;
