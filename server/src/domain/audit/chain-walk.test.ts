import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contentOfItems,
  digestOf,
  intentText,
  type LinkKind,
  linkHash,
  type RemovalNote,
  rootOf,
} from '../../audit-chain.ts';
import type { AuditChain, AuditItem, AuditLink } from '../../store/audit/audit-log.ts';
import { ChainWalk, type Finding } from './chain-walk.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;
const PLACE = { installation: 'i', chain: 'c' };

const itemOf = (requestId: string): AuditItem => {
  const about = { cause: 'operator', actor: 'a', sourceAddress: '', operation: 'o', resource: 'r' };
  return { requestId, text: intentText({ at: NOW, requestId, ...about, playerId: null, details: null }) };
};

/** A chain as a server writes it: its beginning, two links of items, and the removal of an item of the first, days later. */
function chainOf(root: string): readonly AuditLink[] {
  const links: AuditLink[] = [];
  const add = (kind: LinkKind, at: number, said: object, items: readonly AuditItem[] = []) => {
    const [number, previous, note] = [links.length + 1, links.at(-1)?.hash ?? root, JSON.stringify(said)];
    const digests = kind === 'note' ? undefined : items.map(({ text }) => digestOf(text));
    const content = digests === undefined ? digestOf(note) : contentOfItems(digests);
    const body = { number, at, kind, content, note };
    const hash = linkHash(previous, body);
    links.push({ ...body, previous, hash, digests, items, removed: undefined, removedBy: undefined });
  };
  add('note', NOW, { type: 'begin', ...PLACE, writer: 'w', unchained: 0 });
  add('records', NOW, { oldest: NOW }, [itemOf('removed'), itemOf('a')]);
  add('records', NOW, { oldest: NOW }, [itemOf('b'), itemOf('c')]);
  add('note', NOW + 2 * DAY_MS, {
    ...{ type: 'removal', reason: 'retention', before: NOW + 1, onlyScripts: false, records: 1, newest: NOW },
    ...{ unchained: 0, gone: [], thinned: [[2, '01']], cutTo: { number: 0, hash: root } },
  } satisfies RemovalNote);
  return links.map((link) =>
    link.number === 2 ? { ...link, items: link.items.slice(1), removed: '01', removedBy: 4 } : link,
  );
}

const ROOT = rootOf(PLACE);
const GENUINE = chainOf(ROOT.hash);
const CHAIN: AuditChain = {
  ...{ writer: 'w', id: PLACE.chain, installation: PLACE.installation, beganAt: NOW, base: ROOT },
  ...{ number: 4, hash: GENUINE.at(-1)?.hash ?? '' },
};

async function findingsIn(links: readonly AuditLink[], chain: AuditChain = CHAIN): Promise<string[]> {
  const found: string[] = [];
  const report = ({ kind, link, requestId }: Finding) =>
    found.push([kind, link, requestId].filter((part) => part !== undefined).join(' '));
  const reader = {
    links: async ({ after, limit }: { after: number; limit: number }) =>
      links.filter(({ number }) => number > after).slice(0, limit),
  } as unknown as ConstructorParameters<typeof ChainWalk>[0]['reader'];
  const walk = new ChainWalk({ reader, chain, known: [], report });
  await walk.run({ since: undefined, now: NOW + 3 * DAY_MS, progress: () => {} });
  return found;
}

/** The genuine chain, in which one link has been changed. */
const withLink = (number: number, change: (link: AuditLink) => Partial<AuditLink>) =>
  GENUINE.map((link) => (link.number === number ? { ...link, ...change(link) } : link));

test('nothing is found in a chain that nobody has touched, nor in what a server has removed', async () => {
  assert.deepEqual(await findingsIn(GENUINE), []);
});

test('an item is in its link once, and not any more when it was removed', async () => {
  const twice = withLink(3, ({ items }) => ({ items: [...items, itemOf('c')] }));
  assert.deepEqual(await findingsIn(twice), ['inserted 3 c']);
  const back = withLink(2, ({ items }) => ({ items: [...items, itemOf('removed')] }));
  assert.deepEqual(await findingsIn(back), ['inserted 2 removed']);
});

test('a link lacks just what the note of its removal says', async () => {
  assert.deepEqual(await findingsIn(withLink(2, () => ({ removed: '03' }))), ['removed 2']);
  assert.deepEqual(await findingsIn(withLink(3, () => ({ removed: '01', removedBy: 4 }))), ['removed 3']);
  assert.deepEqual(await findingsIn(withLink(3, () => ({ removed: '01', removedBy: 1 }))), ['removed 3']);
});

test('an end that was written again is found by the head that the writer left', async () => {
  const last = GENUINE.at(-1) as AuditLink;
  const later = { ...last, at: last.at + 1 };
  const again = withLink(4, ({ previous }) => ({ at: later.at, hash: linkHash(previous, later) }));
  assert.deepEqual(await findingsIn(again), ['link_changed 4']);
  const head = { ...CHAIN, hash: again.at(-1)?.hash ?? '' };
  assert.deepEqual(await findingsIn(again, head), [], 'a head that was written again, too, hides it');
});

test('a chain of another installation is none of this one, however it was written', async () => {
  const root = rootOf({ ...PLACE, installation: 'other' });
  const links = chainOf(root.hash);
  const chain = { ...CHAIN, base: root, hash: links.at(-1)?.hash ?? '' };
  assert.deepEqual(await findingsIn(links, chain), ['link_changed']);
});
