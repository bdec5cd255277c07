import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { it } from 'node:test';
import type { RequestHead } from '../http/request-head.ts';
import { createUpgradeHandler } from './upgrade.ts';

/** A socket whose client reads nothing, so that no write ends. */
class UnreadSocket extends Duplex {
  timeout: { readonly ms: number; readonly expire: () => void } | undefined;

  setTimeout(ms: number, expire: () => void): void {
    this.timeout = { ms, expire };
  }

  override _read(): void {}
  override _write(): void {}
}

/** A handler that refuses this head whatever the node has, and the causes that it counts. */
function createRefusing(changes: Partial<RequestHead> = {}) {
  const head: RequestHead = {
    ...{ method: 'GET', rawPath: '/elsewhere', rawQuery: '', headers: new Map([['host', ['x']]]) },
    ...{ remoteAddress: '203.0.113.7', peerAddress: '203.0.113.7' },
    ...{ isSecure: false, isForwarded: false, mayBeProxied: false },
    ...changes,
  };
  const untouched = {} as never;
  const causes: string[] = [];
  const upgrade = createUpgradeHandler({
    ...{ gateway: untouched, limits: untouched, turns: untouched, warn: untouched },
    ...{ readHead: () => head, metrics: { refused: (cause: string) => void causes.push(cause) } },
    settings: { allowedOrigins: [], maxFrameBytes: 1_024, inboxMemoryBytes: 4_096 },
  });
  return { upgrade, causes };
}

it('destroys the socket of a refused upgrade whose client does not take the refusal in time', () => {
  const { upgrade } = createRefusing();
  const socket = new UnreadSocket();
  upgrade({ rawHeaders: [] as string[] } as IncomingMessage, socket, Buffer.alloc(0));
  assert.equal(socket.destroyed, false);
  assert.equal(socket.timeout?.ms, 5_000);
  socket.timeout?.expire();
  assert.equal(socket.destroyed, true);
});

it('counts a handshake that it cannot read as malformed', () => {
  const { upgrade, causes } = createRefusing({ headers: new Map([['host', ['x', 'y']]]) });
  upgrade({ rawHeaders: [] as string[], httpVersion: '1.1' } as IncomingMessage, new UnreadSocket(), Buffer.alloc(0));
  const rawHeaders = Array.from({ length: 2_002 }, () => 'a');
  upgrade({ rawHeaders, httpVersion: '1.1' } as IncomingMessage, new UnreadSocket(), Buffer.alloc(0));
  assert.deepEqual(causes, ['malformed', 'malformed']);
});
