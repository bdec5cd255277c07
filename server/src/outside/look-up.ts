import type { LookupAddress } from 'node:dns';
import { lookup as lookUpHost, Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { connectionFault } from './outside-fault.ts';

/** The addresses of a host, in the order in which they are tried. */
export type LookUp = (host: string) => Promise<readonly LookupAddress[]>;

/** How long each name server has for its first answer, and how often it is asked: with a longer second wait, 2.4 s in all. */
const FIRST_WAIT_MS = 800;
const TRIES = 2;

/** How many of each family are kept. A name server's answer may have thousands, and each request checks all that are kept. */
const MAX_ADDRESSES = 8;

/**
 * Asks the operating system, as every program does. That takes a thread of those that Node.js has for it, two at a time,
 * until the system gives up: it is for hosts that the settings list, for others' silence would hold up everybody.
 */
export const systemLookUp: LookUp = (host) => lookUpHost(host, { all: true });

/**
 * Asks the name servers, which know every public name, and nothing else on this machine. It takes no thread, however long
 * they are silent. Without `servers`, they are those of the system.
 */
export function createNameServerLookUp(servers?: readonly string[]): LookUp {
  return async (host) => {
    // The system's servers are read each time: they may have changed.
    const resolver = new Resolver({ timeout: FIRST_WAIT_MS, tries: TRIES });
    if (servers !== undefined) resolver.setServers(servers);
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const addresses = [...found(four, 4), ...found(six, 6)];
    if (addresses.length === 0 && four.status === 'rejected') throw four.reason;
    return addresses;
  };
}

/** How hosts are looked up: those that the settings list, and all others, which must be public. */
export interface LookUps {
  readonly listed: LookUp;
  readonly public: LookUp;
}

export const SYSTEM_LOOK_UPS: LookUps = { listed: systemLookUp, public: createNameServerLookUp() };

function found(answer: PromiseSettledResult<string[]>, family: 4 | 6): LookupAddress[] {
  return answer.status === 'rejected' ? [] : answer.value.map((address) => ({ address, family }));
}

/** The first `MAX_ADDRESSES` of each family, in their order. */
function firstOfEach(addresses: readonly LookupAddress[]): LookupAddress[] {
  const left = new Map([4, 6].map((family) => [family, MAX_ADDRESSES]));
  return addresses.filter(({ family }) => {
    const places = left.get(family) ?? 0;
    left.set(family, places - 1);
    return places > 0;
  });
}

/**
 * Looks up the addresses of hosts, or throws an `OutsideFault`. Look-ups under way are ended by no deadline, so those of one
 * host are one.
 */
export function createAddressesOf({ lookUp }: { lookUp: LookUp }): LookUp {
  const lookUps = new Map<string, Promise<readonly LookupAddress[]>>();

  function underWay(host: string): Promise<readonly LookupAddress[]> {
    const known = lookUps.get(host);
    if (known !== undefined) return known;
    const started = lookUp(host)
      .then(firstOfEach)
      .finally(() => lookUps.delete(host));
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

/**
 * Has a connection go to addresses that were looked up, and checked, before. The answer comes later, as that of every look-up
 * does: otherwise a connection that fails at once would do so before its error has a listener.
 */
export function always(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    process.nextTick(() => {
      if (options.all === true) callback(null, [...addresses]);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    });
  };
}
