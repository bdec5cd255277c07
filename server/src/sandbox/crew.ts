import type { Offences } from './offences.ts';
import { type Job, type Thread, takeBack } from './pool-thread.ts';

/**
 * The threads of a pool: its members, which run what comes, a spare one that is ready to take the place of a member, and
 * one in reserve, which is started when it is first needed.
 */
export class Crew {
  readonly members = new Set<Thread>();
  readonly #startThread: () => Thread;
  readonly #offences: Pick<Offences, 'mustLoadInTurn'>;
  #spare: Thread | undefined;
  #reserve: Thread | undefined;

  constructor(startThread: () => Thread, offences: Pick<Offences, 'mustLoadInTurn'>) {
    this.#startThread = startThread;
    this.#offences = offences;
  }

  get spare(): Thread | undefined {
    return this.#spare;
  }

  get isStarted(): boolean {
    return this.members.size > 0;
  }

  start(size: number): void {
    for (let count = 0; count < size; count += 1) this.members.add(this.#startThread());
    this.#spare = this.#startThread();
  }

  /** Returns the thread in reserve, and starts it if it does not run yet. */
  callReserve(): Thread {
    this.#reserve ??= this.#startThread();
    return this.#reserve;
  }

  *all(): Generator<Thread, void> {
    yield* this.members;
    if (this.#spare !== undefined) yield this.#spare;
    if (this.#reserve !== undefined) yield this.#reserve;
  }

  has(thread: Thread): boolean {
    return this.members.has(thread) || this.#spare === thread || this.#reserve === thread;
  }

  /** Whether a thread loads scripts of the game, or others after which it must wait for its turn. */
  isLoading(gameId: string): boolean {
    const isBefore = ({ runtime }: Thread['loading'][number]) => this.#offences.mustLoadInTurn(gameId, runtime.gameId);
    for (const { loading } of this.all()) if (loading.some(isBefore)) return true;
    return false;
  }

  /**
   * Takes back, one at a time, the jobs that were sent ahead to members, that they have not begun, and that `isMeant`
   * chooses.
   */
  *takeSentAhead(isMeant: (job: Job, thread: Thread) => boolean = () => true): Generator<Job, undefined> {
    for (const thread of this.members) {
      const job = thread.next !== undefined && isMeant(thread.next.job, thread) ? takeBack(thread) : undefined;
      if (job !== undefined) yield job;
    }
    return undefined;
  }

  /** Removes a thread that has ended or is about to. Only with `replace`, another takes its place. */
  remove(thread: Thread, { replace }: { readonly replace: boolean }): void {
    if (this.#reserve === thread) {
      this.#reserve = undefined;
      return;
    }
    const isSpare = !this.members.delete(thread);
    if (!replace) return;
    if (!isSpare) this.members.add(this.#spare ?? this.#startThread());
    this.#spare = this.#startThread();
  }
}
