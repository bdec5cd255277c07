import type { Clock, Moment } from '../../clock.ts';
import type { Lease } from '../cluster.ts';

/**
 * The lease of one incarnation over all partitions: `starting` until each partition has counted a renewal, then `running`,
 * and `over` for good once any partition's last renewal is too old. It counts from when the renewal was sent, because
 * other nodes may have read it at once. The wall clock counts too: it goes on while a virtual machine is suspended.
 */
export class NodeLease implements Lease {
  readonly node: string;
  readonly #clock: Clock;
  readonly #durationMs: number;
  readonly #ended: () => void;
  readonly #renewals: (Moment | undefined)[];
  #state: 'starting' | 'running' | 'over' = 'starting';
  #until: Moment = { monotonic: 0, wall: 0 };
  #cancelTimer = () => {};

  /** `durationMs` is the time after which others take the node for dead, less a margin. `ended` is called once. */
  constructor({
    node,
    clock,
    partitions,
    durationMs,
    ended,
  }: {
    node: string;
    clock: Clock;
    partitions: number;
    durationMs: number;
    ended: () => void;
  }) {
    this.node = node;
    this.#clock = clock;
    this.#durationMs = durationMs;
    this.#ended = ended;
    this.#renewals = new Array<Moment | undefined>(partitions).fill(undefined);
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** When the lease ends unless it is renewed; whichever clock gets there first ends it. */
  get until(): Moment {
    return this.#until;
  }

  mayAct(): boolean {
    if (this.#state !== 'running') return false;
    if (this.#clock.monotonic() < this.#until.monotonic && this.#clock.now() < this.#until.wall) return true;
    this.end();
    return false;
  }

  /** Counts a renewal that was sent at this moment. One that comes after the lease has ended does not bring it back. */
  renew(partition: number, sentAt: Moment): void {
    if (this.#state === 'running' && !this.mayAct()) return;
    if (this.#state === 'over') return;
    this.#renewals[partition] = sentAt;
    const counted = this.#renewals.filter((moment) => moment !== undefined);
    if (counted.length < this.#renewals.length) return;
    this.#until = {
      monotonic: Math.min(...counted.map(({ monotonic }) => monotonic)) + this.#durationMs,
      wall: Math.min(...counted.map(({ wall }) => wall)) + this.#durationMs,
    };
    if (this.#state === 'running') return;
    this.#state = 'running';
    this.#watch();
  }

  /** Ends the lease now. */
  end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#cancelTimer();
    // The caller may be about to handle a frame: the flag is set, and the rest can wait for the next turn.
    this.#clock.after(0, this.#ended);
  }

  /** Ends the lease without calling `ended`. */
  close(): void {
    this.#state = 'over';
    this.#cancelTimer();
  }

  #watch(): void {
    const leftMs = Math.max(1, this.#until.monotonic - this.#clock.monotonic());
    this.#cancelTimer = this.#clock.after(leftMs, () => {
      if (this.mayAct()) this.#watch();
    });
  }
}
