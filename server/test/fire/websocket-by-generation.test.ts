import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import { decodeClientFrame } from '@respark/protocol';
import fc from 'fast-check';
import {
  BINARY,
  CLOSE,
  EVENT,
  endOf,
  frame,
  helloFrame,
  join,
  openPlayer,
  openSocket,
  PING,
  PONG,
  type RawFrame,
  TEXT,
  text,
  upgradeBytes,
} from './raw-websocket.ts';
import { besiege } from './siege.ts';

/** How RFC 6455 and our specification end a connection after this frame and a heartbeat. */
function expectedEnd({ opcode = TEXT, isFinal = true, reserved = 0, isMasked = true, ...rest }: RawFrame): string {
  const payload = Buffer.from(rest.payload ?? '');
  const isControl = opcode >= CLOSE;
  const isKnown = [TEXT, BINARY, CLOSE, PING, PONG].includes(opcode);
  const isLong = payload.length > 125 || (rest.lengthBits ?? 7) > 7;
  if (!isMasked || reserved !== 0 || !isKnown || (isControl && (!isFinal || isLong))) return '1002';
  if (opcode === PING || opcode === PONG) return 'open';
  if (opcode === CLOSE) return expectedClose(payload);
  // The heartbeat begins inside a message that has not ended.
  if (!isFinal) return '1002';
  if (opcode === BINARY) return '4504';
  if (!isUtf8(payload)) return '1007';
  return expectedText(payload.toString());
}

function expectedText(content: string): string {
  const decoded = decodeClientFrame(content);
  return decoded.ok && decoded.frame.kind !== 'hello' ? 'open' : '4504';
}

function expectedClose(payload: Buffer): string {
  if (payload.length === 0) return 'no code';
  if (payload.length === 1) return '1002';
  const code = payload.readUInt16BE();
  const isAllowed =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
  if (!isAllowed) return '1002';
  return isUtf8(payload.subarray(2)) ? String(code) : '1007';
}

/** Any frame. About half of them have a correct head. */
const anyFrame: fc.Arbitrary<RawFrame> = fc.record({
  opcode: fc.oneof(fc.constantFrom(TEXT, BINARY, CLOSE, PING, PONG), fc.nat({ max: 15 })),
  isFinal: fc.oneof(fc.constant(true), fc.boolean()),
  reserved: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: 7 })),
  isMasked: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
  payload: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(EVENT)),
  lengthBits: fc.constantFrom<7 | 16 | 64>(7, 7, 16, 64),
});

test('bad frames by generation end as the specification says', async (t) => {
  await besiege(t, { minCases: 600 }, async (siege) => {
    const { server } = siege;
    const sends = async (bytes: Uint8Array, expected: string) => assert.equal(await endOf(server, bytes), expected);

    await siege.hold('any frame', 200, anyFrame, async (each) => await sends(frame(each), expectedEnd(each)));
    await siege.hold('any bytes in a text', 75, fc.uint8Array({ maxLength: 100 }), async (payload) => {
      await sends(text(payload), expectedEnd({ payload }));
    });
    await siege.hold('any bytes in a close', 75, fc.uint8Array({ maxLength: 20 }), async (payload) => {
      await sends(frame({ opcode: CLOSE, payload }), expectedClose(Buffer.from(payload)));
    });
    const anyText = fc.oneof(
      fc.json({ maxDepth: 5 }),
      fc
        .dictionary(fc.constantFrom('kind', 'id', 'type', 'payload', 'gameKey', '__proto__'), fc.jsonValue(), {
          maxKeys: 6,
        })
        .map((members) => JSON.stringify({ kind: 'request', id: '1', ...members })),
    );
    await siege.hold('any JSON', 100, anyText, async (content) => await sends(text(content), expectedText(content)));
    await siege.hold(
      'any pieces',
      75,
      fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 20 }),
      async (pieces) => {
        const frames = pieces.map((payload, index) =>
          frame({ opcode: index === 0 ? TEXT : 0, isFinal: index === pieces.length - 1, payload }),
        );
        await sends(join(...frames), expectedEnd({ payload: Buffer.concat(pieces) }));
      },
    );
    await siege.hold('any bytes', 100, fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      const player = await openPlayer(server);
      player.socket.end(bytes);
      const { end } = await player.ending;
      assert.match(end, /^(1002|1007|1009|4504|ended|no code|1000)$/);
    });

    for (const [what, whole] of Object.entries({
      event: text(EVENT),
      hello: helloFrame(server),
      upgrade: upgradeBytes(),
    })) {
      for (let length = 0; length < whole.length; length += 2) {
        await siege.attempt(`the first ${length} bytes of ${what}`, async () => {
          const begun = whole.slice(0, length);
          const { socket, ending } =
            what === 'event'
              ? await openPlayer(server)
              : openSocket(server, what === 'upgrade' ? { upgrade: begun } : {});
          if (what === 'upgrade') socket.end();
          else socket.end(begun);
          assert.match((await ending).end, /^(ended|HTTP 400)$/);
        });
      }
    }
  });
});
