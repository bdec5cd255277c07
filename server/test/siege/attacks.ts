import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import {
  BINARY,
  frame,
  openPlayer,
  openSocket,
  PING,
  type RawSocket,
  text,
  times,
  upgradeBytes,
} from '../fire/raw-websocket.ts';
import { FRAME_BYTES, fill, payload, pieces, post, query, requestOf, word } from './attack-bytes.ts';
import { EVENT_ATTACKS } from './event-attacks.ts';
import { HISTORY_ATTACKS } from './history-attacks.ts';
import { PLAYER_DATA_ATTACKS } from './player-data-attacks.ts';
import { HARMFUL_HANDLERS } from './scripted-attacks.ts';
import { open, signed } from './signed-calls.ts';
import { STAFF_ATTACKS } from './staff-attacks.ts';
import { STRANGER_ATTACKS } from './stranger-attacks.ts';
import { LARGE, type Target } from './target.ts';

type Attack = (target: Target) => Promise<void>;

const LONGER_THAN_ALLOWED_BYTES = 65_000;
const PER_SECOND = 50;

/** What one attacker sends for as long as it is let. Each kind asks for something else that costs the server time. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  // Before the welcome.
  'hellos of 64 KB': hellos(LONGER_THAN_ALLOWED_BYTES),
  'hellos of 5 KB': hellos(4_900),
  'sockets without a hello': strangers(() => ''),
  'refused hellos of sockets that stay': async (target) => {
    for (;;) {
      const socket = connectTo(target).resume();
      socket.write(upgradeBytes());
      socket.write(text('{}'));
      await wait(2);
    }
  },
  'origins that are too long for a host, of ten addresses': ofMany(10, async (target) => {
    const upgrade = Buffer.from(upgradeBytes({ headers: { Origin: `http://${'ü'.repeat(15_000)}` } }), 'latin1');
    for (;;) {
      const { ending } = openSocket(target, { upgrade, ...from(target) });
      await Promise.race([ending, wait(10)]);
      await wait(9);
    }
  }),
  'upgrades that are refused': lone(() => upgradeBytes({ path: '/elsewhere' })),
  'hellos in pieces of a byte': strangers((target) => pieces(`{"kind":"hello","gameKey":"${target.gameKey}"`, 1)),
  'floods behind a broken frame': floods(() => frame({ isMasked: false, payload: 'x' }), new Uint8Array(1_048_576)),
  'floods behind a wrong hello': floods(() => text('{}'), times(100_000, frame({ opcode: PING, payload: 'xx' }))),

  // After it.
  'frames of nested JSON': frames(() => payload('[', (at) => `{"${word(at)}":{}},`, '0]')),
  'frames of escaped keys': frames(() => payload('{"\\n":1,', (at) => `"${word(at)}":1,`, '"z":0}')),
  'frames of plain keys': frames(() => payload('{', (at) => `"${word(at)}":1,`, '"z":0}')),
  'frames of deep arrays': frames(() => payload('[', () => '[[[[]]]],', '0]')),
  'frames in a burst, again and again': bursts(() =>
    times(
      60,
      requestOf(
        'T',
        payload('[', (at) => `{"${word(at)}":{}},`, '0]'),
      ),
    ),
  ),
  'frames of 64 KB': frames(() => payload('[', (at) => `{"${word(at)}":{}},`, '0]', LONGER_THAN_ALLOWED_BYTES)),
  'frames in pieces of a byte': bursts(() => pieces('{"kind":"heartbeat"}', 1)),
  'floods of pings': bursts(() => times(2_000, frame({ opcode: PING, payload: 'x'.repeat(125) }))),
  'binary frames': bursts(() => frame({ opcode: BINARY, payload: Buffer.alloc(FRAME_BYTES) })),
  'requests for tokens': everySecond(PER_SECOND, () => requestOf('GameSparks.Identity.GetPlayerToken', '{}')),
  'requests whose answers are not read': async (target) => {
    const player = await openPlayer(target, from(target));
    player.socket.pause();
    await everySecond(PER_SECOND, () => requestOf('T'.repeat(128), '{}'))(target);
  },
  'small frames of 200 players': crowd(200, () => text('{"kind":"heartbeat"}')),

  // With handlers of a stage that is the attacker's.
  ...Object.fromEntries(
    Object.keys(HARMFUL_HANDLERS).map((name) => [
      `handlers: ${name}`,
      onOwnStage(everySecond(PER_SECOND, () => to(name))),
    ]),
  ),
  'handlers: Loop, in bursts': onOwnStage(bursts(() => times(60, to('Loop')))),
  'handlers: Native, of 50 players': onOwnStage(crowd(50, () => to('Native'))),
  'handlers: Reads, of 50 players': onOwnStage(crowd(50, () => to('Reads'))),
  'handlers: ReadsOfManyKeys, and writes beside them': onOwnStage(async (target) => {
    const [reads, writes] = [to('ReadsOfManyKeys'), to('WritesBeside')];
    await Promise.all([
      everySecond(PER_SECOND / 5, () => reads)(target),
      everySecond(PER_SECOND, () => writes)(target),
    ]);
  }),
  'handlers: Responses, of 50 players': onOwnStage(crowd(50, () => to('Responses'))),
  'handlers: no such message, of 200 players': onOwnStage(crowd(200, () => requestOf('Custom.Game.None', '{}'))),

  'handlers: Nothing, of players who are gone at once, of ten addresses': onOwnStage(
    ofMany(10, comersAndGoers(64, 'Nothing')),
  ),

  // Without a signature.
  'pipelined pages, 500 at once': pipelined(500, () => 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'),
  'pipelined pages, as many as a read takes': pipelined(4_000, () => 'GET / HTTP/1.1\r\nHost:\r\n\r\n'),
  'pages over 50 connections': keptAlive(50, () => 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n'),
  'pages over 400 connections': keptAlive(400, () => 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'),
  'metrics over 20 connections': keptAlive(20, () => 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'connections that come and go': lone(() => 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
  'headers of 16 KB': keptAlive(10, () => `GET /game HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(3_500)}\r\n`),
  'bodies of 1 MB': keptAlive(4, () => post('/configuration', 'x'.repeat(1_000_000))),
  'wrong signatures, pipelined': pipelined(200, (target) => signed(target, { path: '/game', key: WRONG })),
  'wrong signatures over long queries': pipelined(60, (target) =>
    signed(target, { path: `/game?${query(12_000)}`, key: WRONG }),
  ),
  'wrong signatures over long queries, of 20 addresses': ofMany(
    20,
    keptAlive(2, (target) => signed(target, { path: `/game?${query(12_000)}`, key: WRONG })),
  ),
  'pages, of 50 addresses': ofMany(
    50,
    keptAlive(1, () => 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n'),
  ),
  'pages for thousands of tags, of 50 addresses': ofMany(
    50,
    keptAlive(1, () => `GET /console/ HTTP/1.1\r\nHost: x\r\nIf-None-Match: ${','.repeat(15_000)}\r\n\r\n`),
  ),
  'bodies in chunks of a byte for a known key id': endless(100, (target) =>
    signed(target, { method: 'POST', path: '/game', key: { ...WRONG, accessKeyId: target.key.accessKeyId } }).replace(
      '\r\n\r\n',
      '\r\nTransfer-Encoding: chunked\r\n\r\n',
    ),
  ),
  'downloads of a file of 1 MB': keptAlive(20, ({ downloadPath }) => `GET ${downloadPath} HTTP/1.1\r\nHost: x\r\n\r\n`),

  // With a key for one game.
  'well signed calls, pipelined': pipelined(200, (target) => signed(target, { path: `/game/${LARGE}` })),
  'well signed calls over long queries': pipelined(60, (target) =>
    signed(target, { path: `/game/${LARGE}?${query(12_000)}` }),
  ),
  'calls that are not allowed': keptAlive(20, (target) => signed(target, { path: '/game/Demo' })),
  'reads of a configuration of 1 MB': keptAlive(4, (target) =>
    signed(target, { path: `/game/${LARGE}/configuration` }),
  ),
  'reads of a snapshot of 1 MB': keptAlive(4, (target) =>
    signed(target, { path: `/game/${LARGE}/snapshot/${target.snapshotId}?Sections=GameSparks.Core.Model` }),
  ),
  'imports of a configuration of 1 MB': keptAlive(2, (target) =>
    signed(target, {
      method: 'PUT',
      path: `/game/${LARGE}/configuration`,
      body: JSON.stringify({ ImportSource: { File: Buffer.from(target.document).toString('base64') } }),
    }),
  ),
  'exports of a snapshot of 1 MB': keptAlive(4, (target) =>
    signed(target, { method: 'GET', path: `/game/${LARGE}/snapshot/${target.snapshotId}/export` }),
  ),
  'snapshots of 1 MB': keptAlive(2, (target) =>
    signed(target, { method: 'POST', path: `/game/${LARGE}/snapshot`, body: '{}' }),
  ),
  'bodies of nested JSON': keptAlive(4, (target) =>
    signed(target, { method: 'POST', path: `/game/${LARGE}/stage`, body: payload('[', () => '[[]],', '0]', 60_000) }),
  ),
  'disconnects of players who are not there': keptAlive(8, (target) =>
    signed(target, { method: 'POST', path: `/runtime/game/${LARGE}/stage/None/player/p/disconnect` }),
  ),
  ...EVENT_ATTACKS,
  ...STAFF_ATTACKS,
  ...HISTORY_ATTACKS,
  ...PLAYER_DATA_ATTACKS,
  ...STRANGER_ATTACKS,
};

const WRONG = { accessKeyId: 'AKIAWRONG', secretAccessKey: 'x'.repeat(40) };

/** Sends hellos whose members nobody asked for, each over a socket of its own, as often as the address may connect. */
function hellos(bytes: number): Attack {
  const filling = `{"kind":"hello","gameKey":"k","\\n":1,${fill(bytes, (at) => `"${word(at)}":1,`)}"z":0}`;
  const hello = text(filling);
  return strangers(() => hello);
}

/** Opens sockets as fast as the server takes them, and sends each of them the same. */
function strangers(bytes: (target: Target) => string | Uint8Array): Attack {
  return async (target) => {
    const sent = bytes(target);
    for (;;) {
      const { socket, ending } = openSocket(target, from(target));
      socket.write(sent);
      void ending;
      await wait(10);
    }
  };
}

/** Opens sockets whose first frame ends them, and sends on for as long as the server leaves them open. */
function floods(makeFirst: () => Uint8Array, rest: Uint8Array): Attack {
  return async (target) => {
    for (;;) {
      const socket = connectTo(target).resume();
      socket.write(upgradeBytes());
      socket.write(makeFirst());
      const goOn = () => void socket.write(rest);
      socket.on('drain', goOn);
      goOn();
      await wait(10);
    }
  };
}

/** Sends frames over three connections, as many a second as one may send. A connection that is closed comes back. */
function frames(makePayload: () => string): Attack {
  return everySecond(PER_SECOND, () => requestOf('T', makePayload()));
}

function everySecond(count: number, makeFrame: () => Uint8Array): Attack {
  return async (target) => {
    const sent = makeFrame();
    const send = async (): Promise<never> => {
      for (;;) {
        const player = await openPlayer(target, from(target)).catch(() => undefined);
        const over = player?.ending;
        for (let isOpen = player !== undefined; isOpen; ) {
          player?.socket.write(sent);
          isOpen = (await Promise.race([over, wait(1_000 / count, 'open')])) === 'open';
        }
        await wait(20);
      }
    };
    await Promise.all([send(), send(), send()]);
  };
}

/** Sends a whole burst of frames at once, over three connections that come back as soon as they are closed. */
function bursts(makeBytes: () => Uint8Array): Attack {
  return async (target) => {
    const sent = makeBytes();
    const send = async (): Promise<never> => {
      for (;;) {
        const player = await openPlayer(target, from(target)).catch(() => undefined);
        player?.socket.write(sent);
        await Promise.race([player?.ending, wait(1_000)]);
        player?.socket.destroy();
        await wait(20);
      }
    };
    await Promise.all([send(), send(), send()]);
  };
}

/** The same attack by players of the stage whose handlers harm. */
function onOwnStage(attack: Attack): Attack {
  return (target) => attack({ ...target, gameKey: target.harmfulGameKey });
}

/** A message to one of the handlers that harm. */
function to(name: string): Uint8Array {
  return requestOf(`Custom.Game.${name}`, HARMFUL_HANDLERS[name]?.payload ?? '{}');
}

function crowd(size: number, makeFrame: () => Uint8Array): Attack {
  return async (target) => {
    const sent = makeFrame();
    const players: RawSocket[] = [];
    for (;;) {
      while (players.length < size) {
        const player = await openPlayer(target, from(target)).catch(() => undefined);
        if (player !== undefined) players.push(player);
        await wait(5);
      }
      for (const { socket } of players) socket.write(sent);
      await wait(1_000 / 40);
    }
  };
}

/** Players who send some messages and do not wait for the answers, nearly as many a second as an address may connect. */
function comersAndGoers(count: number, name: string): Attack {
  const messages = times(count, to(name));
  return async (target) => {
    for (;;) {
      const player = openPlayer(target, from(target));
      player.then(({ socket }) => socket.write(messages, () => socket.resetAndDestroy())).catch(() => {});
      await wait(11);
    }
  };
}

/** Sends `count` requests at once over one connection, again as soon as it has their answers or is closed. */
function pipelined(count: number, request: (target: Target) => string | Uint8Array): Attack {
  return async (target) => {
    for (;;) {
      const bytes = times(count, Buffer.from(request(target)));
      const socket = open(target);
      socket.write(bytes);
      await new Promise<void>((resolve) => {
        let answers = 0;
        socket.on('close', () => resolve());
        socket.on('data', (chunk: Buffer) => {
          answers += chunk.toString('latin1').split('HTTP/1.1 ').length - 1;
          if (answers < count) return;
          answers = 0;
          socket.write(bytes);
        });
      });
    }
  };
}

/** Sends requests over some connections, each as soon as the answer before it has begun. */
function keptAlive(connections: number, request: (target: Target) => string | Uint8Array): Attack {
  return async (target) => {
    let bytes = request(target);
    // A signature counts for minutes, but a body that is changed each time would not be the same bytes.
    const renewed = setInterval(() => {
      bytes = request(target);
    }, 10_000);
    renewed.unref();
    const send = async (): Promise<never> => {
      for (;;) {
        const socket = open(target);
        socket.write(bytes);
        await new Promise<void>((resolve) => {
          socket.on('close', () => resolve());
          socket.on('data', (chunk: Buffer) => {
            if (chunk.includes('HTTP/1.1 ')) socket.write(bytes);
          });
        });
        await wait(1);
      }
    };
    await Promise.all(Array.from({ length: connections }, send));
  };
}

/** Sends a body in chunks of a byte behind each head, for as long as the server leaves the connection open. */
function endless(connections: number, head: (target: Target) => string): Attack {
  const chunks = times(43_690, Buffer.from('1\r\na\r\n'));
  return async (target) => {
    const send = async (): Promise<never> => {
      for (;;) {
        const socket = open(target).resume();
        const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
        socket.write(head(target));
        while (!socket.destroyed) {
          // A write that the kernel takes at once is followed by no "drain".
          if (socket.write(chunks)) await wait(1);
          else await Promise.race([closed, new Promise<void>((resolve) => socket.once('drain', resolve))]);
        }
        await wait(1);
      }
    };
    await Promise.all(Array.from({ length: connections }, send));
  };
}

/** Opens a connection for each request, eight at a time. */
function lone(request: () => string): Attack {
  return async (target) => {
    const send = async (): Promise<never> => {
      for (;;) {
        const socket = open(target);
        socket.write(request());
        socket.resume();
        await new Promise<void>((resolve) => socket.on('close', () => resolve()));
      }
    };
    await Promise.all(Array.from({ length: 8 }, send));
  };
}

/** The same attack from as many addresses, of which each has limits of its own. */
function ofMany(count: number, attack: Attack): Attack {
  return async (target) => {
    const addresses = Array.from({ length: count }, (_, at) => `127.1.0.${at + 1}`);
    await Promise.all(addresses.map((address) => attack({ ...target, address })));
  };
}

/** A socket to where players connect, which the attacker alone closes. */
function connectTo({ playerUrl, address }: Target): Socket {
  const { hostname, port } = new URL(playerUrl);
  const socket = connect({ host: hostname, port: Number(port), localAddress: address, allowHalfOpen: true });
  return socket.on('error', () => {});
}

function from({ address }: Target) {
  return { localAddress: address };
}
