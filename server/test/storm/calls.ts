import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { ClusterHistory, DisconnectRecord } from '../simulation/checker.ts';
import { pause, type Tally } from '../soak/tally.ts';
import { GAME, STAGE } from '../support/server.ts';
import { CREDENTIALS, type Node, type Rig } from './rig.ts';
import type { Seeded } from './seeded.ts';

const CALL_EVERY_MS = 80;
const SHARE_OF_DISCONNECTS = 0.7;
const SHARE_THROUGH_PROXY = 0.4;
/** Callers that break off as soon as they have sent their call. */
const SHARE_OF_CUTS = 0.04;

/** A call without an answer for so long never gets one, not even from a process that was held up. */
const ANSWER_MS = 60_000;

interface Answer {
  readonly status: number;
  readonly error: string | undefined;
  /** The node that answered, if haproxy says so. */
  readonly node: string | undefined;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Signed calls of an operator, and the record of what each was answered. */
export class Calls {
  readonly disconnects: DisconnectRecord[] = [];
  readonly statuses: ClusterHistory['statuses'][number][] = [];
  readonly #inFlight = new Map<DisconnectRecord, string>();
  readonly #rig: Rig;
  readonly #tally: Tally;

  constructor(rig: Rig, tally: Tally) {
    this.#rig = rig;
    this.#tally = tally;
  }

  get disconnectsInFlight(): number {
    return this.#inFlight.size;
  }

  /** Whether a text names a player whose disconnect is in flight. */
  isInFlight(text: string): boolean {
    for (const player of this.#inFlight.values()) if (text.includes(player)) return true;
    return false;
  }

  /** Calls any node or haproxy at a steady rate, whether or not the earlier calls have been answered. */
  async keepCalling(players: readonly string[], random: Seeded, over: AbortSignal): Promise<void> {
    const calls = new Set<Promise<unknown>>();
    while (!over.aborted) {
      const node = random.fraction() < SHARE_THROUGH_PROXY ? undefined : random.pick(this.#rig.nodes);
      const player = random.pick(players);
      const isCut = random.fraction() < SHARE_OF_CUTS;
      const isDisconnect = random.fraction() < SHARE_OF_DISCONNECTS;
      const call: Promise<unknown> = isDisconnect ? this.disconnect(player, node, isCut) : this.status(player, node);
      calls.add(call.finally(() => calls.delete(call)));
      await pause(CALL_EVERY_MS, CALL_EVERY_MS, over);
    }
    await Promise.all(calls);
  }

  async disconnect(player: string, node?: Node, isCut = false): Promise<DisconnectRecord> {
    const now = performance.now();
    const record: { -readonly [Key in keyof DisconnectRecord]: DisconnectRecord[Key] } = {
      ...{ player, coordinator: node?.name ?? 'haproxy', requestId: '', calledAt: now, calledMs: now },
    };
    this.disconnects.push(record);
    this.#inFlight.set(record, player);
    const answer = await this.#send('POST', `${player}/disconnect`, node, isCut);
    this.#inFlight.delete(record);
    record.returnedMs = performance.now();
    record.returnedAt = record.returnedMs;
    record.coordinator = answer?.node ?? record.coordinator;
    if (answer === undefined) {
      // The node or haproxy has ended the call, so that nobody was told anything.
      record.isLost = true;
      delete record.returnedMs;
      delete record.returnedAt;
      this.#tally.count(isCut ? 'disconnects cut by their caller' : 'disconnects without an answer');
    } else if (answer.status === 200) {
      const { DisconnectSuccesses: successes, DisconnectFailures: failures } = answer.json as Record<string, string[]>;
      record.outcome = { successes: successes ?? [], failures: failures ?? [] };
      this.#tally.count('disconnects answered');
      if (record.outcome.successes.length > 0) this.#tally.count('disconnects with successes');
      if (record.outcome.failures.length > 0) this.#tally.count('disconnects with failures');
    } else {
      record.outcome = 'unavailable';
      this.#tally.count('disconnects answered with a retryable 500');
    }
    return record;
  }

  /** The ids that are listed; undefined when nobody says. */
  async status(player: string, node?: Node): Promise<readonly string[] | undefined> {
    const calledAt = performance.now();
    const answer = await this.#send('GET', `${player}/connection`, node, false);
    if (answer?.status !== 200) {
      this.#tally.count('status calls without a list');
      return undefined;
    }
    const ids = ((answer.json.Connections ?? []) as { readonly Id: string }[]).map(({ Id }) => Id);
    this.statuses.push({ player, calledAt, ids });
    this.#tally.count('status calls answered');
    return ids;
  }

  async #send(method: string, path: string, node: Node | undefined, isCut: boolean): Promise<Answer | undefined> {
    const url = new URL(`/runtime/game/${GAME}/stage/${STAGE}/player/${path}`, node?.url ?? this.#rig.url);
    const signature = signRequest({
      ...{ method, url, body: Buffer.alloc(0), ...CREDENTIALS, region: 'us-east-1', nowMs: Date.now() },
    });
    const sent = request(url, { method, headers: signature, agent: false });
    sent.setTimeout(ANSWER_MS, () => {
      this.#tally.fault(`${method} ${url.href} was not answered within ${ANSWER_MS} ms`);
      sent.destroy();
    });
    try {
      sent.end(isCut ? () => setImmediate(() => sent.destroy()) : undefined);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const body = await text(response);
      const { statusCode: status = 0, headers } = response;
      const [error, name] = [headers['x-amzn-errortype'], headers['x-node']].map((value) => value?.toString());
      // An answer of haproxy's own is not one of the API.
      if (status !== 200 && error === undefined) return undefined;
      if (status !== 200 && error !== 'InternalServerException')
        this.#tally.fault(`${method} ${url.pathname} was answered ${status} ${error}: ${body}`);
      return { status, error, node: name, json: JSON.parse(body) };
    } catch {
      return undefined;
    }
  }
}
