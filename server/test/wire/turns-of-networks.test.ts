import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { startTestServer, type TestPlayer, until } from '../support/server.ts';

const GUESTS = 20;

/** A request whose handler has a thread for a while. */
const GAME = scriptedGame({
  requests: {
    Work: {
      script: `
        const end = Date.now() + 20;
        while (Date.now() < end);
        return GameSparks().Messaging().Response({});`,
    },
  },
});

/** Sends a request, and calls `answered` with the kind of the frame that answers it. */
function ask({ ws }: TestPlayer, answered: (kind: string) => void): void {
  ws.on('message', (data) => answered(JSON.parse(String(data)).kind));
  ws.send(JSON.stringify({ kind: 'request', id: '1', type: 'Custom.Game.Work', payload: {} }));
}

for (const [addresses, network] of [
  [['203.0.113.1'], 'an address'],
  [['2001:db8::1', '2001:db8:0:1::1', '2001:db8:0:ff00::1'], 'a network of IPv6'],
] as const) {
  test(`however many guests of ${network} wait for a thread, a player from elsewhere has a place and waits for few of them`, async (t) => {
    const settings = {
      ...{ trustedProxies: ['127.0.0.1'], scriptThreads: 1 },
      ...{ scriptMaxWaitingPerStage: GUESTS, maxConnectionsPerAddress: 100, maxUnauthenticatedPerAddress: 100 },
    };
    const server = await startTestServer(t, { settings });
    await deploy(server, await createSnapshot(server, fileOf(GAME)));
    const connectFrom = (address = '') => server.connect({}, { headers: { 'X-Forwarded-For': address } });
    const guests: TestPlayer[] = [];
    for (let number = 0; number < GUESTS; number += 1) {
      guests.push(await connectFrom(addresses[number % addresses.length]));
    }
    const other = await connectFrom('198.51.100.1');
    let answered = 0;
    for (const guest of guests) {
      ask(guest, (kind) => {
        if (kind === 'response') answered += 1;
      });
    }
    await until(() => answered > 0);
    const before = answered;
    const kind = await new Promise<string>((resolve) => ask(other, resolve));
    assert.equal(kind, 'response');
    assert.ok(answered - before < GUESTS / 2, `${answered - before} guests were answered first`);
  });
}
