/**
 * Which nodes of an era are dead, as one node finds out by itself: a node that it has read with the same sequence number
 * twice, at least a lease apart on its own monotonic clock, has not renewed in between and has stopped acting.
 */
export class Observation {
  readonly #leaseMs: number;
  readonly #alive = new Map<string, { readonly sequence: string; readonly firstReadAt: number }>();
  readonly #dead = new Set<string>();

  constructor({ leaseMs }: { leaseMs: number }) {
    this.#leaseMs = leaseMs;
  }

  /**
   * Takes a reading of the table of nodes, which was asked for and came at these times. Returns the nodes that have been
   * silent for a lease; they are dead once the directory has confirmed that they have not renewed since.
   */
  read(nodes: ReadonlyMap<string, string>, { sentAt, receivedAt }: { sentAt: number; receivedAt: number }) {
    const silent: { readonly node: string; readonly sequence: string }[] = [];
    for (const [node, sequence] of nodes) {
      const known = this.#alive.get(node);
      if (known?.sequence !== sequence) this.#alive.set(node, { sequence, firstReadAt: receivedAt });
      else if (sentAt - known.firstReadAt >= this.#leaseMs) silent.push({ node, sequence });
    }
    for (const node of this.#alive.keys()) {
      // A record is removed only when its node has left, or when another node has confirmed its death.
      if (!nodes.has(node)) this.confirm(node);
    }
    return silent;
  }

  confirm(node: string): void {
    this.#alive.delete(node);
    this.#dead.add(node);
  }

  isDead(node: string): boolean {
    return this.#dead.has(node);
  }

  isKnown(node: string): boolean {
    return this.#alive.has(node);
  }

  /** A new era has a table of its own. */
  forget(): void {
    this.#alive.clear();
    this.#dead.clear();
  }
}
