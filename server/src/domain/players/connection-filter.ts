import { type ConnectionSelector, parseAddresses } from '../../connection-selector.ts';
import { ServiceError } from '../../errors.ts';
import { EMPTY_RUNTIME_ID } from '../../runtime-id.ts';
import { shown } from '../../text.ts';
import type { Stage } from '../stages.ts';

/** Which connections of a stage a call is about: those of which all of it is true. */
export interface ConnectionFilter extends Omit<ConnectionSelector, 'playerIds' | 'runtimeId'> {
  /** The id of a runtime, `CURRENT` for that of the stage, or `OLDER` for those before it. */
  readonly runtime?: string | undefined;
}

/** The players whom a call is about. "Everybody" must be said, so that no caller means it by forgetting the rest. */
export interface Selection {
  readonly isEverybody: boolean;
  readonly playerIds?: readonly string[] | undefined;
  readonly filter: ConnectionFilter;
}

/** Longer lists are in the record by their beginning and their length. */
const MAX_RECORDED_PLAYERS = 100;

export function currentRuntime({ runtimeId }: Stage): string {
  return runtimeId ?? EMPTY_RUNTIME_ID;
}

/** What the selection means at the moment. Throws `validation` for one that says nothing, or everybody and more. */
export function readSelection({ isEverybody, playerIds, filter }: Selection, stage: Stage): ConnectionSelector {
  const isNarrow = playerIds !== undefined || Object.values(filter).some((value) => value !== undefined);
  if (isEverybody === isNarrow) {
    const message = isEverybody
      ? '"Everybody" goes with no other member of Selector: leave it out, or the others'
      : 'Selector must say which connections are meant: give one of its members, or "Everybody": true for all of them';
    throw new ServiceError('validation', message);
  }
  if (filter.runtime === 'OLDER' && filter.beforeRuntimeId !== undefined) {
    throw new ServiceError('validation', 'Give "BeforeRuntimeId" or "RuntimeId": "OLDER", not both: each says how old');
  }
  return { ...selectorOf(filter, stage), playerIds };
}

/** What the audit record says of the selection. */
export function onRecordOf({ isEverybody, playerIds, filter }: Selection): Readonly<Record<string, string>> {
  const { connectedSince, connectedBefore, ...names } = filter;
  const named = Object.entries(names).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...(isEverybody && { everybody: 'true' }),
    ...Object.fromEntries(named),
    ...(connectedSince !== undefined && { connectedSince: new Date(connectedSince).toISOString() }),
    ...(connectedBefore !== undefined && { connectedBefore: new Date(connectedBefore).toISOString() }),
    ...(playerIds !== undefined && {
      players: String(playerIds.length),
      playerIds: playerIds.slice(0, MAX_RECORDED_PLAYERS).join(' '),
    }),
  };
}

/** What the filter means at the moment. Throws `validation` for addresses that cannot be read. */
export function selectorOf({ runtime, ...filter }: ConnectionFilter, stage: Stage): ConnectionSelector {
  const current = currentRuntime(stage);
  const { addresses } = filter;
  if (addresses !== undefined && parseAddresses(addresses) === undefined) {
    throw new ServiceError(
      'validation',
      `"Address" must be an IP address or a CIDR range, of IPv6 no narrower than /64, got ${shown(addresses)}`,
    );
  }
  if (runtime === 'OLDER') return { ...filter, beforeRuntimeId: current };
  return { ...filter, runtimeId: runtime === 'CURRENT' ? current : runtime };
}
