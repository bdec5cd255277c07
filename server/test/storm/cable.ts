import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Scope } from './scope.ts';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * What one node reaches a server through: every connection between them. It is
 *
 * - whole: bytes pass in both directions.
 * - silent: nothing passes, and nobody learns why, as when a network drops packets. What is under way arrives after the
 *   mending, however old it is by then.
 * - deaf: what the node sends passes, and nothing that it is sent. So it is not told what became of its commands. What is
 *   under way to it arrives after the mending.
 * - refusing: every connection is reset, and every new one at once.
 */
export class Cable {
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  /** Connections that were made while the cable was silent. */
  readonly #waiting = new Set<Socket>();
  /** What had been read when the cable fell silent or deaf. */
  #held: { readonly to: Socket; readonly chunk: Buffer }[] = [];
  #state: 'whole' | 'silent' | 'deaf' | 'refusing' = 'whole';
  #port = 0;
  /** Sees what the node sends before it goes on. */
  watch: (chunk: Buffer) => void = () => {};

  private constructor(target: number) {
    this.#target = target;
  }

  static async open(target: number, scope: Scope): Promise<Cable> {
    const cable = new Cable(target);
    const server = createServer({ pauseOnConnect: true }, (client) => cable.#accept(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cable.#port = (server.address() as AddressInfo).port;
    scope.after(() => {
      server.close();
      cable.refuse();
    });
    return cable;
  }

  get port(): number {
    return this.#port;
  }

  silence(): void {
    this.#state = 'silent';
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.pause();
  }

  deafen(): void {
    this.#state = 'deaf';
    for (const { server } of this.#pairs) server.pause();
  }

  refuse(): void {
    this.#state = 'refusing';
    this.#held = [];
    for (const client of this.#waiting) client.resetAndDestroy();
    this.#waiting.clear();
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.resetAndDestroy();
  }

  mend(): void {
    this.#state = 'whole';
    for (const { to, chunk } of this.#held.splice(0)) to.write(chunk);
    for (const { client, server } of this.#pairs) {
      if (client.destroyed || server.destroyed) this.#part({ client, server });
      else for (const socket of [client, server]) socket.resume();
    }
    for (const client of this.#waiting) this.#join(client);
    this.#waiting.clear();
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#state === 'refusing') client.resetAndDestroy();
    else if (this.#state === 'silent') this.#waiting.add(client);
    else this.#join(client);
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1');
    const pair = { client, server };
    this.#pairs.add(pair);
    client.on('data', (chunk: Buffer) => {
      this.watch(chunk);
      this.#pass(server, chunk, this.#state === 'silent');
    });
    server.on('data', (chunk: Buffer) => this.#pass(client, chunk, this.#isMute));
    server.on('error', () => {});
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('close', () => {
        // Over a deaf cable the server still hears that the node has gone.
        if (socket === client ? this.#state !== 'silent' : !this.#isMute) this.#part(pair);
      });
    }
    client.resume();
  }

  /** Whether the node hears nothing, and does not learn why. */
  get #isMute(): boolean {
    return this.#state === 'silent' || this.#state === 'deaf';
  }

  #pass(to: Socket, chunk: Buffer, isHeld: boolean): void {
    // What watches may have cut the cable just now.
    if (isHeld) this.#held.push({ to, chunk });
    else if (!to.destroyed) to.write(chunk);
  }

  #part(pair: Pair): void {
    this.#pairs.delete(pair);
    // What was read before the end is still to be written.
    for (const socket of [pair.client, pair.server]) if (!socket.destroyed) socket.destroySoon();
  }
}
