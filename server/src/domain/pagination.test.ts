import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyring } from '../keyring.ts';
import { createPageTokens, createPaginate, inListTurns, type PageRequest } from './pagination.ts';

const paginate = createPaginate({
  pageTokens: createPageTokens({ sealer: createKeyring(new Uint8Array(32).fill(1)) }),
});
const names = Array.from({ length: 250 }, (_, index) => ({ name: `G${String(index).padStart(35, '0')}` }));

const list = (request: PageRequest, records = names) =>
  paginate('ListGames', request, async ({ after = '', limit }) =>
    records.filter(({ name }) => name > after).slice(0, limit),
  );

test('a page has 100 items unless asked otherwise', async () => {
  assert.equal((await list({})).items.length, 100);
  assert.equal((await list({ maxResults: 7 })).items.length, 7);
});

test('following the tokens gives every item once, whatever the sizes of the pages', async () => {
  const seen: unknown[] = [];
  let nextToken: string | undefined;
  for (let maxResults = 1; ; maxResults = (maxResults * 3) % 100) {
    const page = await list({ maxResults, nextToken });
    seen.push(...page.items);
    nextToken = page.nextToken;
    if (nextToken === undefined) break;
    assert.match(nextToken, /^[A-Za-z0-9_-]{1,1024}$/);
  }
  assert.deepEqual(seen, names);
});

test('the last page has no token, even when it is full', async () => {
  assert.equal((await list({ maxResults: 3 }, names.slice(0, 3))).nextToken, undefined);
  assert.equal((await list({}, [])).nextToken, undefined);
});

test('an item removed or added between pages moves no other', async () => {
  const { nextToken } = await list({ maxResults: 2 });
  const changed = [{ name: 'A' }, ...names.slice(3)];
  assert.deepEqual((await list({ maxResults: 2, nextToken }, changed)).items, names.slice(3, 5));
});

test('what the list did not give is refused', async () => {
  const { nextToken = '' } = await list({ maxResults: 2 });
  const flipped = nextToken.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  const foreign = createPaginate({
    pageTokens: createPageTokens({ sealer: createKeyring(new Uint8Array(32).fill(2)) }),
  });
  const { nextToken: foreignToken = '' } = await foreign('ListGames', { maxResults: 1 }, async () => names.slice(0, 2));
  for (const token of ['x', 'G5', flipped, `${nextToken}=`, `${nextToken} `, nextToken.slice(1), foreignToken]) {
    await assert.rejects(list({ nextToken: token }), { code: 'validation', message: /NextToken/ }, token);
  }
});

test('a token of another list is refused, though this server gave it', async () => {
  const none = async () => [];
  const { nextToken = '' } = await paginate('ListStages game-1', { maxResults: 1 }, async () => names.slice(0, 2));
  await assert.rejects(paginate('ListStages game-2', { nextToken }, none), {
    code: 'validation',
    message: /NextToken/,
  });
  assert.deepEqual((await paginate('ListStages game-1', { nextToken }, none)).items, []);
});

test('a list may have another order than that of names', async () => {
  const records = names.map(({ name }) => ({ id: name })).reverse();
  const list = (request: PageRequest) =>
    paginate(
      'ListSnapshots',
      request,
      async ({ after = '~', limit }) => records.filter(({ id }) => id < after).slice(0, limit),
      ({ id }) => id,
    );
  const seen: unknown[] = [];
  let nextToken: string | undefined;
  do {
    const page = await list({ maxResults: 60, nextToken });
    seen.push(...page.items);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, records);
});

test('a list of long records is read a few at a time, each few in a turn, and its pages end early', async () => {
  const records = names.slice(0, 60).map(({ name }, index) => ({ name, size: index < 20 ? 40 : 1 }));
  const steps: (number | 'turn')[] = [];
  const listed = inListTurns(
    {
      async list({ after = '', limit }) {
        steps.push(limit);
        return records.filter(({ name }) => name > after).slice(0, limit);
      },
      bytesOf: ({ size }) => size,
      maxBytes: 500,
    },
    { positionOf: ({ name }) => name, turn: async () => void steps.push('turn') },
  );
  const seen: unknown[] = [];
  const sizes: number[] = [];
  let nextToken: string | undefined;
  do {
    const page = await paginate('ListGames', { maxResults: 45, nextToken }, listed);
    seen.push(...page.items);
    sizes.push(page.items.length);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, records);
  assert.deepEqual(sizes, [12, 45, 3]);
  const ofPages = [[10, 10], [10, 10, 10, 10, 6], [10]];
  assert.deepEqual(
    steps,
    ofPages.flat().flatMap((limit) => ['turn', limit]),
  );
});
