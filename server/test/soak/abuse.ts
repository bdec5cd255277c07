import { exchange, outcomesOf, requestBytes } from '../fire/raw-http.ts';
import {
  BINARY,
  closeFrame,
  frame,
  HEARTBEAT,
  openPlayer,
  openSocket,
  PING,
  type RawSocket,
  text,
  upgradeBytes,
} from '../fire/raw-websocket.ts';
import { addressOf, type Stage } from './players.ts';
import { inTime, pause } from './tally.ts';

const END_MS = 30_000;
/** The addresses of abusers begin above those of the players. */
const FIRST_ADDRESS = 1 << 20;

const GARBAGE = [
  text('garbage'),
  text('{"kind":"hello","gameKey":"k"}'),
  text(`{"kind":"event","type":"T","payload":${'['.repeat(10_000)}`),
  text(Uint8Array.of(0xff, 0xfe)),
  frame({ payload: 'x', isMasked: false }),
  frame({ payload: 'x', reserved: 4 }),
  frame({ opcode: 5 }),
  frame({ opcode: BINARY, payload: 'x' }),
  frame({ opcode: PING, isFinal: false }),
  frame({ length: 2n ** 63n }),
  frame({ length: 100_000n }),
  closeFrame(1005),
];

/** What one client of each kind of abuse does. PER_SECOND says how often each kind comes. */
const KINDS: Readonly<Record<string, (stage: Stage, number: number) => Promise<void>>> = {
  async garbage(stage, number) {
    const player = await open(stage, number);
    player.socket.write(GARBAGE[Math.floor(Math.random() * GARBAGE.length)] ?? '');
    await ends(stage, player, 'sender of garbage', ['1002', '1007', '1009', '4504']);
  },
  async flood(stage, number) {
    const player = await open(stage, number);
    const what = Math.random() < 0.5 ? HEARTBEAT : frame({ opcode: PING, payload: 'x' });
    player.socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => what)));
    await ends(stage, player, 'flooder', ['4005']);
  },
  async mute(stage, number) {
    await ends(stage, openSocket(stage.server, { upgrade: upgradeOf(number) }), 'mute', ['4002']);
  },
  async slowReader(stage, number) {
    const player = await open(stage, number);
    player.socket.pause();
    // The answers repeat the type, escaped twice, and exceed the kernel's buffers.
    const asked = text(`{"kind":"request","id":"1","type":"${'\\u0001'.repeat(128)}"}`);
    player.socket.write(Buffer.concat(Array.from({ length: 9_000 }, () => asked)));
    // A client that reads on in time learns the reason. It may also have caught up, and is silent from then on.
    await pause(100, 2_000, stage.leave);
    player.socket.resume();
    await ends(stage, player, 'slow reader', ['4001', 'ended', '4002']);
  },
  async vanish(stage, number) {
    const player = await open(stage, number);
    player.socket.resetAndDestroy();
    stage.tally.count('players vanished');
  },
  async badHttp(stage, number) {
    const [name, value] = Object.entries(addressOf(number))[0] ?? [];
    const rawHeaders = [`${name}: ${value}`, 'Connection: close'];
    const attacks = [
      requestBytes({ isSigned: false, rawHeaders }),
      requestBytes({ method: 'POST', path: '/game', body: '{"GameName":"Stolen"}', rawHeaders }),
      requestBytes({ path: '/%zz'.repeat(100), isSigned: false, rawHeaders }),
      requestBytes({ isSigned: false, rawHeaders: [...rawHeaders, 'Content-Length: -1'] }),
      Buffer.alloc(200, number),
    ];
    const attack = attacks[Math.floor(Math.random() * attacks.length)] ?? '';
    const outcome = outcomesOf(await exchange(stage.server, attack, { isLast: true }));
    stage.tally.count('bad requests');
    if (!/^(?:4\d\d|closed)/.test(outcome)) stage.tally.fault(`a bad request was answered ${outcome}`);
  },
};

/** How many clients of each kind come per second. */
const PER_SECOND: Readonly<Record<string, number>> = {
  garbage: 10,
  flood: 0.5,
  mute: 10,
  slowReader: 0.5,
  vanish: 5,
  badHttp: 20,
};

/** Sends clients of every kind until `over`. Resolves when the last of them is gone. */
export async function abuse(stage: Stage, over: AbortSignal): Promise<void> {
  let number = FIRST_ADDRESS;
  const keepComing = async (kind: string, attack: (stage: Stage, number: number) => Promise<void>) => {
    const meanMs = 1_000 / (PER_SECOND[kind] ?? 1);
    const clients = new Set<Promise<void>>();
    while (!over.aborted) {
      number += 1;
      const client = inTime(stage.tally, END_MS, kind, attack(stage, number)).then(() => void clients.delete(client));
      clients.add(client);
      await pause(0, 2 * meanMs, over);
    }
    await Promise.all(clients);
  };
  await Promise.all(Object.entries(KINDS).map(([kind, attack]) => keepComing(kind, attack)));
}

function upgradeOf(number: number): string {
  return upgradeBytes({ headers: addressOf(number) });
}

async function open({ server }: Stage, number: number): Promise<RawSocket> {
  return await openPlayer(server, { upgrade: upgradeOf(number) });
}

async function ends({ tally }: Stage, { ending }: RawSocket, role: string, expected: readonly string[]): Promise<void> {
  const { end, reason } = await ending;
  tally.count(`${role}: ${end}`);
  if (!expected.includes(end)) tally.fault(`a ${role} ended with ${end} ${reason}`);
}
