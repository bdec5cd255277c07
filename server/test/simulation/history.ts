import assert from 'node:assert/strict';
import type { ConnectionOutcome } from '../../src/domain/players/disconnect.ts';

type Event =
  | { readonly kind: 'dispatched'; readonly id: string }
  | { readonly kind: 'handed to kernel'; readonly id: string; readonly text: string };

/** One DisconnectPlayer call as its caller saw it. `…At` counts events; `…Ms` is simulated time. */
export interface DisconnectCall {
  readonly playerId: string;
  readonly calledAt: number;
  readonly calledMs: number;
  /** The ids that the call's first look at the directory returned. */
  listed: readonly string[];
  /** The player's connections that were welcomed and not stopped at the time of the call. */
  readonly welcomedBefore: readonly string[];
  returnedAt?: number;
  returnedMs?: number;
  successes?: readonly string[];
  failures?: readonly string[];
  /** What the call says of each connection. */
  outcomes?: readonly ConnectionOutcome[];
  /** Successes that the directory still listed when the call returned. */
  listedAfter?: readonly string[];
  /** Successes whose socket still had bytes that the kernel had not accepted when the call returned. */
  unaccepted?: readonly string[];
  /** Those of `welcomedBefore` that had not stopped when the call returned. */
  stillRunning?: readonly string[];
}

export interface StatusCall {
  readonly calledAt: number;
  readonly ids: readonly string[];
}

/** Everything that happened, in order, and the invariants that every history must keep. */
export class History {
  readonly events: (Event & { at: number })[] = [];
  readonly disconnects: DisconnectCall[] = [];
  readonly statuses: StatusCall[] = [];
  /** The faults and races that really happened. A test of a fault that never occurs would prove nothing. */
  readonly coverage: Set<string>;
  #at = 0;

  constructor(coverage: Set<string>) {
    this.coverage = coverage;
  }

  tick(): number {
    this.#at += 1;
    return this.#at;
  }

  record(event: Event): void {
    this.events.push({ ...event, at: this.tick() });
  }

  check({ deadlineMs }: { deadlineMs: number }): void {
    for (const call of this.disconnects) {
      const { successes, failures, returnedAt = Number.POSITIVE_INFINITY } = call;
      assert(call.returnedMs !== undefined, 'every call returns');
      assert(call.returnedMs - call.calledMs <= deadlineMs, `I6: returned after ${call.returnedMs - call.calledMs} ms`);
      if (successes === undefined || failures === undefined) continue;
      assert.deepEqual(call.listedAfter, [], 'I2: a success that the directory still lists');
      assert.deepEqual(call.unaccepted, [], 'I1: a success whose close frame was still in user space');
      for (const id of successes) {
        const late = this.events.find((event) => event.id === id && event.at > returnedAt);
        assert.equal(late, undefined, `I1: ${id} was a success, yet later was ${late?.kind}`);
        const relisted = this.statuses.find((status) => status.calledAt > returnedAt && status.ids.includes(id));
        assert.equal(relisted, undefined, `I2: ${id} was a success, yet a later status call lists it`);
      }
      for (const id of call.stillRunning ?? []) {
        if (failures.length === 0) assert.fail(`I3: ${id} was welcomed before the call and goes on after it`);
        assert([...successes, ...failures].includes(id), `I4: ${id} goes on and is in neither list`);
      }
      const answered = [...successes, ...failures].sort();
      assert.deepEqual(answered, [...call.listed].sort(), 'I4, I5: each listed id is in one list, and no other id is');
      for (const { connectionId: id, outcome } of call.outcomes ?? []) {
        const list = outcome === 'unproven' ? failures : successes;
        assert(list.includes(id), `I10: ${id} is ${outcome}, and not in that list`);
      }
      assert.equal(call.outcomes?.length, call.listed.length, 'I10: each listed id has one outcome');
    }
  }
}
