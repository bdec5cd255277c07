import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TestServer } from '../support/server.ts';
import { type Bytes, CLOSE, create, exchange, gamesOf, outcomesOf, requestBytes } from './raw-http.ts';
import { besiege } from './siege.ts';

/** Sends the bytes, and returns the outcomes. Fails unless every reply, whatever its status, has a documented form. */
async function exchangeDocumented(server: TestServer, bytes: Bytes, options?: Parameters<typeof exchange>[2]) {
  return outcomesOf(await exchange(server, bytes, options)).split(', ');
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('.', '..', '%', '%2F', '%00', '__proto__'),
);
const segment = fc.oneof(
  anyText.map(encodeURIComponent),
  fc.constantFrom(
    'game',
    'stage',
    'Demo',
    'Dev',
    'runtime',
    'player',
    '',
    '.',
    '..',
    '%2f',
    '%00',
    '%zz',
    '%',
    'a'.repeat(2_000),
  ),
);
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc
    .dictionary(fc.constantFrom('GameName', 'Description', 'Tags', 'ClientToken', '__proto__'), fc.jsonValue(), {
      maxKeys: 5,
    })
    .map(
      // Never creates a game: the name is taken or missing.
      (members) =>
        JSON.stringify({ ...members, ...(typeof members.GameName === 'string' ? { GameName: 'Demo' } : {}) }),
    ),
);

test('bad input by generation gets a documented answer over HTTP', async (t) => {
  await besiege(t, { minCases: 1_000 }, async (siege) => {
    const { server } = siege;

    await siege.hold('any bytes', 150, fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      for (const outcome of await exchangeDocumented(server, bytes, { isLast: true })) {
        assert(['400', 'closed'].includes(outcome), outcome);
      }
    });

    const shape = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS'),
      segments: fc.array(segment, { minLength: 1, maxLength: 9 }),
      query: fc.oneof(
        fc.constant(''),
        fc.webQueryParameters().map((query) => `?${query}`),
        fc.constant('?MaxResults=-1&%'),
      ),
      isSigned: fc.boolean(),
    });
    await siege.hold('any path', 250, shape, async ({ method, segments, query, isSigned }) => {
      const path = `/${segments.join('/')}${query}`;
      // The game and the stage must still exist for the next case.
      const isHarmless = method === 'GET' || !/^\/game\/Demo(\/stage\/Dev)?(\?|$)/.test(path);
      const bytes = requestBytes({ method: isHarmless ? method : 'GET', path, isSigned, rawHeaders: CLOSE });
      const [outcome = ''] = await exchangeDocumented(server, bytes);
      // The welcome page is the only one of these that anyone may read unsigned; OPTIONS has no more to say than methods.
      const isPage = method === 'GET' && segments.join('/') === '';
      if (!isSigned && !isPage && method !== 'OPTIONS') assert.match(outcome, /^(400|403|404|405)/);
    });

    await siege.hold('any JSON', 200, json, async (text) => {
      const outcomes = await exchangeDocumented(server, create(text));
      assert.match(outcomes.join(), /^(400 (Serialization|Validation)Exception|409 ConflictException)$/);
    });

    await siege.hold('any body', 150, fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
      assert.deepEqual(await exchangeDocumented(server, create(bytes)), [
        bytes.length === 0 ? '400 ValidationException' : '400 SerializationException',
      ]);
    });

    const headers = fc.array(
      fc.tuple(
        fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}$/),
        fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,60}$/),
      ),
      { maxLength: 20 },
    );
    await siege.hold('any headers', 150, headers, async (pairs) => {
      const rawHeaders = pairs.map(([name, value]) => `${name}: ${value}`);
      await exchangeDocumented(server, requestBytes({ rawHeaders: [...rawHeaders, ...CLOSE] }), { isLast: false });
    });

    // With one byte of a signed call changed, either what was signed happens, or nothing.
    const original = requestBytes({ method: 'POST', path: '/game', body: '{"GameName":"Signed"}', rawHeaders: CLOSE });
    const change = fc.record({
      at: fc.nat({ max: original.length - 1 }),
      byte: fc.nat({ max: 255 }),
      isInserted: fc.boolean(),
    });
    await siege.hold('a signed call with a byte changed', 250, change, async ({ at, byte, isInserted }) => {
      const changed = Buffer.concat([
        original.subarray(0, at),
        Uint8Array.of(byte),
        original.subarray(isInserted ? at : at + 1),
      ]);
      await exchangeDocumented(server, changed, { isLast: true });
      const others = (await gamesOf(server)).filter((name) => name !== 'Demo' && name !== 'Signed');
      assert.deepEqual(others, []);
    });

    const whole = requestBytes({ method: 'POST', path: '/game', body: '{"GameName":"Half"}', rawHeaders: CLOSE });
    for (let length = 0; length < whole.length; length += 3) {
      await siege.attempt(`the first ${length} bytes of a signed call`, async () => {
        for (const outcome of await exchangeDocumented(server, whole.subarray(0, length), { isLast: true })) {
          assert(['400', 'closed'].includes(outcome), outcome);
        }
      });
    }
    assert(!(await gamesOf(server)).includes('Half'));
  });
});
