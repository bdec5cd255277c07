import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createAddressesOf, createNameServerLookUp } from './look-up.ts';

const HEADER_BYTES = 12;
const ADDRESS_TYPE = 1;

test('names whose server is silent hold up no others', async (t) => {
  const lookUp = createNameServerLookUp([await startNameServer(t)]);
  let over = 0;
  const silent = Array.from({ length: 30 }, (_, number) =>
    assert.rejects(lookUp(`silent-${number}.example`), { code: 'ETIMEOUT' }).finally(() => {
      over += 1;
    }),
  );
  assert.deepEqual(await lookUp('known.example'), [{ address: '192.0.2.7', family: 4 }]);
  assert.equal(over, 0);
  await Promise.all(silent);
});

test('a name that no name server knows is not found', async (t) => {
  const lookUp = createNameServerLookUp([await startNameServer(t)]);
  await assert.rejects(lookUp('nobody.example'), { code: 'ENOTFOUND' });
});

test('of the thousands of addresses that a name may have, the first of each family are tried', async () => {
  const six = Array.from({ length: 2_000 }, (_, number) => ({
    address: `2001:db8::${number.toString(16)}`,
    family: 6,
  }));
  const four = Array.from({ length: 2_000 }, (_, number) => ({
    address: `192.0.${number >> 8}.${number & 255}`,
    family: 4,
  }));
  const addressesOf = createAddressesOf({ lookUp: async () => [...six, ...four] });
  assert.deepEqual(await addressesOf('many.example'), [...six.slice(0, 8), ...four.slice(0, 8)]);
});

/** Knows one address of `known…`, nothing of `nobody…`, and does not answer about others (RFC 1035, section 4). */
async function startNameServer(t: TestContext): Promise<string> {
  const socket = createSocket('udp4', (query, { port, address }) => {
    const name = query.toString('latin1', HEADER_BYTES + 1);
    const isKnown = name.startsWith('known');
    if (!isKnown && !name.startsWith('nobody')) return;
    const end = query.indexOf(0, HEADER_BYTES) + 5;
    const hasAnswer = isKnown && query.readUInt16BE(end - 4) === ADDRESS_TYPE;
    const header = Buffer.from(query.subarray(0, HEADER_BYTES));
    header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(hasAnswer ? 1 : 0, 6);
    header.writeUInt32BE(0, 8);
    const answer = Buffer.from([0xc0, HEADER_BYTES, 0, ADDRESS_TYPE, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    const parts = [header, query.subarray(HEADER_BYTES, end), ...(hasAnswer ? [answer] : [])];
    socket.send(Buffer.concat(parts), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return `127.0.0.1:${socket.address().port}`;
}
