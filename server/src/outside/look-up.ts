import type { LookupAddress } from 'node:dns';
import { lookup as lookUpHost } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { connectionFault } from './outside-fault.ts';

/** The addresses of a host, in the order in which they are tried. */
export type LookUp = (host: string) => Promise<readonly LookupAddress[]>;

/** Asks the operating system, as every program does. */
export const systemLookUp: LookUp = (host) => lookUpHost(host, { all: true });

/**
 * Gives the addresses of hosts, or throws an `OutsideFault`. Look-ups under way are ended by no deadline, so those of one
 * host are one: a name server that does not answer then costs one thread of those that Node.js has for that and for files.
 */
export function createAddressesOf({ lookUp }: { lookUp: LookUp }): LookUp {
  const lookUps = new Map<string, Promise<readonly LookupAddress[]>>();

  function underWay(host: string): Promise<readonly LookupAddress[]> {
    const known = lookUps.get(host);
    if (known !== undefined) return known;
    const started = lookUp(host).finally(() => lookUps.delete(host));
    lookUps.set(host, started);
    return started;
  }

  return async (host) => {
    try {
      return await underWay(host);
    } catch (error) {
      throw connectionFault(error, host) ?? error;
    }
  };
}

/** Looks up one host after the other, so that look-ups which nobody waits for leave the threads to others. */
export function oneAtATime(lookUp: LookUp): LookUp {
  let last: Promise<unknown> = Promise.resolve();
  return (host) => {
    const mine = last.then(() => lookUp(host));
    last = mine.catch(() => {});
    return mine;
  };
}

/** Has a connection go to addresses that were looked up, and checked, before. */
export function always(addresses: LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  };
}
