import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import type { Duplex } from 'node:stream';
import { BoundedTlsAgent } from './bounded-tls.ts';

/** How many connections there may be at once, and how many may be kept for later requests. */
export interface KeptConnections {
  readonly maxPerHost: number;
  readonly maxPerScheme: number;
  /** Of all hosts together. */
  readonly maxIdle: number;
  readonly maxIdleMs: number;
}

/** The agents of connections that are kept. */
export function createKeptAgents(limits: KeptConnections) {
  const idle = new IdleConnections(limits);
  const { maxPerHost: maxSockets, maxPerScheme: maxTotalSockets } = limits;
  const options = { keepAlive: true, timeout: limits.maxIdleMs, maxSockets, maxTotalSockets };
  return { http: new KeptAgent(options, idle), https: new KeptTlsAgent(options, idle) } as const;
}

/**
 * The connections that wait for a request. Node.js bounds those of each host, and lets the other end keep one for ever by
 * sending something on it now and then. Here they have a bound in all and an age, and none may say anything.
 */
class IdleConnections {
  readonly #limits: KeptConnections;
  readonly #ends = new Map<Duplex, () => void>();

  constructor(limits: KeptConnections) {
    this.#limits = limits;
  }

  /** Whether there is a place for one more. */
  take(socket: Duplex): boolean {
    if (this.#ends.size >= this.#limits.maxIdle) return false;
    const destroy = () => socket.destroy();
    const leave = () => this.release(socket);
    const timer = setTimeout(destroy, this.#limits.maxIdleMs);
    socket.once('data', destroy).once('close', leave);
    this.#ends.set(socket, () => {
      clearTimeout(timer);
      socket.off('data', destroy).off('close', leave);
    });
    return true;
  }

  release(socket: Duplex): void {
    this.#ends.get(socket)?.();
    this.#ends.delete(socket);
  }
}

type Options = ConstructorParameters<typeof HttpAgent>[0];

class KeptAgent extends HttpAgent {
  readonly #idle: IdleConnections;

  constructor(options: Options, idle: IdleConnections) {
    super(options);
    this.#idle = idle;
  }

  // What it returns is documented, but not among the types.
  override keepSocketAlive(socket: Duplex): boolean {
    const isToBeKept: unknown = super.keepSocketAlive(socket);
    return isToBeKept === true && this.#idle.take(socket);
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.release(socket);
    super.reuseSocket(socket, request);
  }
}

class KeptTlsAgent extends BoundedTlsAgent {
  readonly #idle: IdleConnections;

  constructor(options: Options, idle: IdleConnections) {
    super(options);
    this.#idle = idle;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    const isToBeKept: unknown = super.keepSocketAlive(socket);
    return isToBeKept === true && this.#idle.take(socket);
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.release(socket);
    super.reuseSocket(socket, request);
  }
}
