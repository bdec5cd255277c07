import { Agent as HttpAgent } from 'node:http';
import type { Duplex } from 'node:stream';
import { BoundedTlsAgent } from './bounded-tls.ts';

/** How many connections there may be at once, and how many may be kept for later requests. */
export interface KeptConnections {
  readonly maxPerHost: number;
  readonly maxPerScheme: number;
  /** For all hosts together. */
  readonly maxIdle: number;
  readonly maxIdleMs: number;
}

/** Makes the agents that keep connections. */
export function createKeptAgents(limits: KeptConnections) {
  const idle = new IdleConnections(limits);
  const { maxPerHost: maxSockets, maxPerScheme: maxTotalSockets } = limits;
  const options = { keepAlive: true, timeout: limits.maxIdleMs, maxSockets, maxTotalSockets };
  return { http: keeping(new HttpAgent(options), idle), https: keeping(new BoundedTlsAgent(options), idle) } as const;
}

/**
 * The connections that wait for a request. Node.js bounds those of each host, and lets the other end keep one for ever by
 * sending something on it now and then. Here all of them together have a bound, each has a greatest age, and one on which
 * something comes is ended.
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

/** Has an agent ask before it keeps a connection. */
function keeping<Kind extends HttpAgent>(agent: Kind, idle: IdleConnections): Kind {
  const { keepSocketAlive, reuseSocket } = agent;
  // Its result is in the documentation, and not in the types.
  agent.keepSocketAlive = (socket) => {
    const isToBeKept: unknown = keepSocketAlive.call(agent, socket);
    return isToBeKept === true && idle.take(socket);
  };
  agent.reuseSocket = (socket, request) => {
    idle.release(socket);
    reuseSocket.call(agent, socket, request);
  };
  return agent;
}
