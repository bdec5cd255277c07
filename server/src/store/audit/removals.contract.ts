import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type RemovalNote, rangesOf, removedItems } from '../../audit-chain.ts';
import type { KnownLink } from '../../domain/audit/chain-walk.ts';
import { sampleIntent } from './audit-log.contract.ts';
import type { AuditLink } from './audit-log.ts';
import { briefly, type ChainedLog, DAY_MS, NOW, verify, writeBatches } from './chain.contract.ts';
import { type NewLink, noteAfter } from './chain-rows.ts';

/** A log that whoever can write to its tables appends a link to. */
export interface ForgeableLog extends ChainedLog {
  append(link: NewLink): Promise<void>;
}

interface Forgery {
  readonly ids: readonly string[];
  /** The time that the forged link says. */
  readonly at?: number;
  readonly says: Partial<RemovalNote>;
  /** The links that are removed as well. */
  readonly cutTo?: number;
}

/** Removes records, and puts on record that a server has removed them, in the very form in which it does. */
async function forge(log: ForgeableLog, { ids, at = NOW + 2 * DAY_MS, says, cutTo }: Forgery): Promise<void> {
  const [chain] = await log.auditLog.chain.chains();
  assert.ok(chain !== undefined);
  const links = await log.auditLog.chain.links({ writer: chain.writer, after: 0, limit: 100 });
  const number = chain.number + 1;
  const gone: number[] = [];
  const thinned: [number, string][] = [];
  for (const link of links) {
    const removed = removedItems(link.removed);
    for (const [place, { requestId }] of link.items.entries()) if (ids.includes(requestId)) removed.add(place);
    if (removed.size === 0) continue;
    if (removed.size === link.digests?.length) gone.push(link.number);
    else thinned.push([link.number, removed.toHex()]);
  }
  await log.execute(`delete from audit where request_id in (${ids.map((id) => `'${id}'`).join(', ')})`);
  for (const link of gone) {
    await log.execute(`update audit_links set digests = null, removed_by = ${number} where number = ${link}`);
  }
  for (const [link, mask] of thinned) {
    await log.execute(`update audit_links set removed = '${mask}', removed_by = ${number} where number = ${link}`);
  }
  const cut = links.find((link) => link.number === cutTo);
  if (cut !== undefined) {
    await log.execute(`delete from audit_links where number <= ${cut.number}`);
    await log.execute(`update audit_chains set base_number = ${cut.number}, base_hash = '${cut.hash}'`);
  }
  const note: RemovalNote = {
    ...{ type: 'removal', reason: 'retention', before: NOW + 6_001, newest: NOW + 6_000, onlyScripts: false },
    ...{ records: ids.length, unchained: 0, gone: rangesOf(gone), thinned },
    cutTo: cut === undefined ? chain.base : bodyOf(cut),
    ...says,
  };
  await log.append(noteAfter(chain, at, note));
}

function bodyOf({ number, hash, previous, at, kind, content, note }: AuditLink): RemovalNote['cutTo'] {
  return { number, hash, previous, at, kind, content, note };
}

const TWO_BATCHES = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'];
const HASH = '22'.repeat(32);

/** The batches have the links 2, 3 and 4, and the scripts 5, so what is forged is link 6. Each record is a second after the one before. */
const FORGERIES: Readonly<Record<string, Forgery & { found: readonly string[]; now?: number }>> = {
  'a record from the middle, although older ones are left': {
    ids: ['b2'],
    says: { before: NOW + 5_001, newest: NOW + 5_000 },
    found: ['removed 6'],
  },
  'a record from the middle, which is said to have been the oldest': {
    ids: ['b2'],
    says: { before: NOW + 501, newest: NOW + 500 },
    found: ['removed 3'],
  },
  'a link from the middle, which is said to have been the oldest': {
    ids: ['b1', 'b2', 'b3'],
    says: { before: NOW + 501, newest: NOW + 500 },
    found: ['removed 3'],
  },
  'a record from the middle, for the size of the log': {
    ids: ['b2'],
    says: { reason: 'size', before: Number.MAX_SAFE_INTEGER, newest: NOW + 5_000 },
    found: ['removed 6'],
  },
  'a record from the middle, for a reason that no server has': {
    ids: ['b2'],
    says: { reason: 'order' as 'size' },
    found: ['removed 3'],
  },
  'records that were no day old': { ids: TWO_BATCHES, at: NOW + 10_000, says: {}, found: ['removed 6'] },
  'records that were no day old, at a time to come': {
    ids: TWO_BATCHES,
    says: {},
    now: NOW + 10_000,
    found: ['removed 6'],
  },
  'records that were not from before the time it says': {
    ids: TWO_BATCHES,
    says: { before: NOW + 3_000 },
    found: ['removed 6'],
  },
  'records of an operator as records of scripts': {
    ids: TWO_BATCHES,
    says: { onlyScripts: true },
    found: ['removed 2', 'removed 3'],
  },
  'a record of a script of which an older one is left': {
    ids: ['script 2'],
    says: { reason: 'size', before: NOW + 1, newest: NOW + 10_000, onlyScripts: true },
    found: ['removed 6'],
  },
  'links from the beginning, with records that are said to be older': {
    ids: TWO_BATCHES,
    cutTo: 3,
    says: { before: NOW + 501, newest: NOW + 500 },
    found: ['link_removed 3'],
  },
  'links from the beginning, of which it says another last one': {
    ids: TWO_BATCHES,
    cutTo: 3,
    says: { cutTo: { number: 3, hash: HASH, previous: HASH, at: NOW, kind: 'records', content: HASH } },
    found: ['link_removed 3'],
  },
};

/** Holds the removals of one implementation, and whoever imitates them, to what is promised of them. */
export function testRemovals(open: (t: TestContext) => Promise<ForgeableLog>): void {
  const fresh = async (t: TestContext) => {
    const log = await open(t);
    await writeBatches(log.auditLog, ['a1', 'a2', 'a3'], ['b1', 'b2', 'b3'], ['c1', 'c2', 'script 1', 'script 2']);
    return log;
  };

  for (const [name, { found, now, ...forgery }] of Object.entries(FORGERIES)) {
    test(`a removal that is none of a server’s is found when it has removed ${name}`, async (t) => {
      const log = await fresh(t);
      await forge(log, forgery);
      assert.deepEqual(briefly(await verify(log.auditLog, now === undefined ? {} : { now })), found);
    });
  }

  test('a removal at an invented time is found by the links that come after it', async (t) => {
    const log = await fresh(t);
    await forge(log, { ids: TWO_BATCHES, says: {} });
    assert.deepEqual(briefly(await verify(log.auditLog)), []);
    const intent = sampleIntent('d1', { at: NOW + 20_000 });
    await log.auditLog.begin(intent);
    await log.auditLog.settle();
    assert.deepEqual(briefly(await verify(log.auditLog)), ['removed 6']);
  });

  test('a removal of the oldest alone looks like that of a server, which docs/receipts.md says', async (t) => {
    for (const forgery of [
      { ids: TWO_BATCHES, says: {} },
      { ids: TWO_BATCHES, says: {}, cutTo: 3 },
      { ids: ['script 1'], says: { reason: 'size', onlyScripts: true, before: NOW + 1, newest: NOW + 9_000 } },
    ] as const) {
      const log = await fresh(t);
      await forge(log, forgery);
      assert.deepEqual(briefly(await verify(log.auditLog)), []);
    }
  });

  test('a record that a receipt names is there, or was removed on record, or is a finding', async (t) => {
    const log = await fresh(t);
    const [chain] = await log.auditLog.chain.chains();
    assert.ok(chain !== undefined);
    const links = await log.auditLog.chain.links({ writer: chain.writer, after: 0, limit: 100 });
    const receiptOf = (number: number, place: number, recordAt: number): KnownLink => {
      const link = links.find((each) => each.number === number);
      assert.ok(link?.digests?.[place] !== undefined);
      return {
        chain: chain.id,
        number,
        hash: link.hash,
        digests: [link.digests[place]],
        source: 'a receipt',
        recordAt,
      };
    };
    const look = async (known: KnownLink) => {
      const verification = await verify(log.auditLog, { known: [known] });
      return [...briefly(verification), ...verification.removed];
    };
    const removed = 'the record of a receipt was removed for its age, or for the size of the log';
    const [a1, b2] = [receiptOf(2, 0, NOW + 1_000), receiptOf(3, 2, NOW + 5_000)];
    assert.deepEqual([await look(a1), await look(b2)], [[], []]);
    log.advance(2 * DAY_MS);
    await log.auditLog.removeBefore(NOW + 5_000);
    assert.deepEqual([await look(a1), await look(b2)], [[removed], []]);
    assert.deepEqual(await look({ ...a1, recordAt: NOW + 5_000 }), ['removed 2'], 'in a link that is not kept');
    assert.deepEqual(await look(receiptOf(3, 0, NOW + 4_000)), [removed], 'in a link that is thinned');
    assert.deepEqual(await look(receiptOf(3, 0, NOW + 5_000)), ['removed 3']);
    await log.execute("delete from audit where request_id = 'b2'");
    assert.deepEqual(await look(b2), ['removed 3']);
  });

  test('removals in many steps, with records that come late and of scripts, are all those of a server', async (t) => {
    const log = await open(t);
    const batches = Array.from({ length: 30 }, (_, batch) =>
      Array.from({ length: 8 }, (_, index) => `${index % 3 === 0 ? 'script' : 'operator'} ${batch} ${index}`),
    );
    await writeBatches(log.auditLog, ...batches);
    const late = sampleIntent('late', { at: NOW });
    await log.auditLog.begin(late);
    log.advance(2 * DAY_MS);
    for (let until = 0; until < 240; until += 7) {
      await log.auditLog.removeBefore(NOW + until * 1_000);
      if (until === 70) await log.auditLog.begin(sampleIntent('later', { at: NOW + 10 }));
      if (until === 84) await log.auditLog.settle();
      const { findings } = await verify(log.auditLog, { now: NOW + 2 * DAY_MS });
      assert.deepEqual(findings, []);
    }
  });
}
