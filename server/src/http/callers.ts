import type { ServerResponse } from 'node:http';
import type { Turns } from '../turns.ts';
import { addressGroup } from './client-address.ts';
import { handshakeLane } from './handshake-turns.ts';
import { headersIn, type ReadHead, type RequestHead } from './request-head.ts';
import { noteCaller } from './socket-limits.ts';
import { type ParsingOrder, parseInLane } from './socket-turns.ts';

/** Beyond this many access keys at their addresses, the lane that was made first is shared again. */
const MAX_KEY_LANES = 10_000;

/** The access key that a request names, before anything has been checked. */
const CLAIMED_KEY = /Credential=([\w-]{1,128})\//;

export interface Callers {
  /** Must be called when the signature of a request has been verified. */
  add(response: ServerResponse, head: RequestHead): void;
  /**
   * The callers behind one address share a lane. An access key has one of its own there from its first verified
   * signature on, so that a caller who names other keys has no more lanes. What comes on the socket of that request waits
   * in the lane of its key from then on.
   */
  laneOf(head: RequestHead): string;
  /**
   * The sockets of a trusted proxy bring what many clients ask, so that what has not been parsed waits in the lane that its
   * head names. Without it, one client could fill the lane of all. A long head waits in the lane of its proxy.
   */
  readonly laneFinderOf: ParsingOrder['laneFinderOf'];
}

export function createCallers({ turns, readHead }: { turns: Pick<Turns, 'prefer'>; readHead: ReadHead }): Callers {
  const lanes = new Set<string>();
  const groupOf = ({ remoteAddress, peerAddress }: RequestHead) => addressGroup(remoteAddress ?? peerAddress);
  const claimedKey = ({ headers }: RequestHead) => CLAIMED_KEY.exec(headers.get('authorization')?.[0] ?? '')?.[1];
  const laneIn = (group: string, key: string | undefined) => `${group} ${key}`;
  function laneOf(head: RequestHead): string {
    const group = groupOf(head);
    const own = laneIn(group, claimedKey(head));
    return lanes.has(own) ? own : group;
  }

  return {
    add(response, head) {
      const key = claimedKey(head);
      noteCaller(response, key ?? '');
      const lane = laneIn(groupOf(head), key);
      // The sockets of a proxy bring the requests of many callers.
      if (!head.isForwarded && !head.mayBeProxied) parseInLane(response.req.socket, lane);
      if (lanes.has(lane)) return;
      const [oldest = ''] = lanes;
      if (lanes.size >= MAX_KEY_LANES) lanes.delete(oldest);
      lanes.add(lane);
      // Sockets of the same address, or of the same proxy, bring what has to be decrypted or parsed first.
      const peer = addressGroup(head.peerAddress);
      for (const each of [lane, peer, handshakeLane(peer)]) turns.prefer(each);
    },
    laneOf,
    laneFinderOf(socket) {
      const headOf = (rawHeaders: string[]) => readHead({ method: '', url: '/', rawHeaders, socket });
      const proxy = headOf([]);
      if (!proxy?.isForwarded) return undefined;
      return (bytes) => laneOf(headOf(headersIn(bytes) ?? []) ?? proxy);
    },
  };
}
