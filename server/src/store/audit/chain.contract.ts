import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FindingKind } from '../../domain/audit/chain-walk.ts';
import { type Verification, verifyAudit } from '../../domain/audit/verification.ts';
import { uuidV7 } from '../../random.ts';
import { SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import type { AuditLog, AuditReader } from './audit-log.ts';

/** A log, and a way to its tables that the log knows nothing of. */
export interface ChainedLog {
  readonly auditLog: AuditLog;
  /** Has the time pass, so that records of different times are in links of their own. */
  advance(ms: number): void;
  execute(statement: string): Promise<void>;
  /** Reads the same log as another process would. */
  openReader(): Promise<AuditReader>;
}

export const NOW = 1_700_000_000_000;
export const DAY_MS = 86_400_000;

export const verify = async (reader: AuditReader, more: Partial<Parameters<typeof verifyAudit>[0]> = {}) =>
  await verifyAudit({ reader: reader.chain, ...more });

export function briefly({ findings }: Pick<Verification, 'findings'>): string[] {
  return findings.map(({ kind, link, requestId }) =>
    [kind, link, requestId].filter((part) => part !== undefined).join(' '),
  );
}

/** Writes records of these names, each batch into a link of its own. Each record is a second after the one before. */
export async function writeBatches(auditLog: AuditLog, ...batches: (readonly string[])[]): Promise<void> {
  let at = NOW;
  for (const batch of batches) {
    for (const requestId of batch) {
      at += 1_000;
      const intent = sampleIntent(requestId, { at, cause: requestId.startsWith('script') ? 'script' : 'operator' });
      await auditLog.begin(intent);
      await auditLog.finish(intent, SAMPLE_OUTCOME);
    }
    await auditLog.settle();
  }
}

const uuid = (last: number) => uuidV7((count) => new Uint8Array(count).fill(last), NOW);
const OF = (id: string) => `where request_id = '${id}'`;

/** Puts in what a record says once more, under another name and with some changes. */
const copyOf = (id: string, as: string, changes: string) =>
  `create temporary table copied as select * from audit ${OF(id)};
   update copied set request_id = '${as}', ${changes};
   insert into audit select * from copied; drop table copied`;

/** Each manipulation, and exactly what is found of it. The first link begins the chain, so the batches have 2, 3 and 4. */
const MANIPULATIONS: Readonly<Record<string, { does: readonly string[]; found: readonly string[] }>> = {
  'a record that was removed': { does: [`delete from audit ${OF('b2')}`], found: ['removed 3'] },
  'the last record, removed': { does: [`delete from audit ${OF('c2')}`], found: ['removed 4'] },
  'an actor that was changed': { does: [`update audit set actor = 'nobody' ${OF('b1')}`], found: ['changed 3 b1'] },
  'an outcome that was changed': {
    does: [`update audit set outcome = replace(outcome, '1.234', '1.235') ${OF('b1')}`],
    found: ['changed 3 b1'],
  },
  'an outcome that was taken away': {
    does: [`update audit set outcome = null, outcome_link = null ${OF('b1')}`],
    found: ['removed 3'],
  },
  'a time that was changed': {
    does: [`update audit set at = at + 1 ${OF('a1')}`],
    found: ['changed 2 a1', 'changed 2 a1'],
  },
  'two records that were exchanged': {
    does: [
      `update audit set intent_link = 4, outcome_link = 4 ${OF('b1')}`,
      `update audit set intent_link = 3, outcome_link = 3 ${OF('c1')}`,
    ],
    found: ['reordered 3 c1', 'reordered 3 c1', 'reordered 4 b1', 'reordered 4 b1'],
  },
  'a link that was removed from the middle': {
    does: ['delete from audit_links where number = 3'],
    found: ['link_removed 3'],
  },
  'a link that was removed with its records': {
    does: [`delete from audit where intent_link = 3`, 'delete from audit_links where number = 3'],
    found: ['link_removed 3'],
  },
  'links that were exchanged': {
    does: [
      'update audit_links set number = 99 where number = 3',
      'update audit_links set number = 3 where number = 4',
      'update audit_links set number = 4 where number = 99',
      'update audit set intent_link = 99, outcome_link = 99 where intent_link = 3',
      'update audit set intent_link = 3, outcome_link = 3 where intent_link = 4',
      'update audit set intent_link = 4, outcome_link = 4 where intent_link = 99',
    ],
    found: ['link_reordered 3', 'link_reordered 3', 'link_reordered 4', 'link_reordered 4'],
  },
  'a link whose time was changed': {
    does: ['update audit_links set at = at + 1 where number = 3'],
    found: ['link_changed 3'],
  },
  'records that were taken away as if they had been removed for their age': {
    does: [`delete from audit where intent_link = 3`, 'update audit_links set digests = null where number = 3'],
    found: ['removed 3'],
  },
  'a record that was put in and says that it is in a note': {
    does: [copyOf('b1', 'planted', 'intent_link = 1, outcome_link = 1')],
    found: ['inserted 1 planted', 'inserted 1 planted'],
  },
  'a record that says it is in a note instead of its link': {
    does: [`update audit set intent_link = 1 ${OF('b1')}`],
    found: ['reordered 1 b1'],
  },
  'a chain whose own entry was removed, so that its links count no more': {
    does: ['delete from audit_chains', `update audit set actor = 'nobody' ${OF('b1')}`],
    found: ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1', 'c2'].map((id) => `inserted ${id}`),
  },
  'a record of another link that says it is in this one': {
    does: [`update audit set intent_link = 77 ${OF('b1')}`],
    found: ['removed 3', 'inserted b1'],
  },
};

const [REAL, FORGED] = [uuid(1), uuid(2)];

/** Records that nobody may be told to be in the chain. The link of the real one is 2, that of a script 3, then comes 4. */
const FORGERIES: Readonly<Record<string, string>> = {
  'one that was put in': copyOf(REAL, FORGED, "actor = 'nobody'"),
  'one that was put in and says that it is in a note': copyOf(REAL, FORGED, 'intent_link = 1, outcome_link = 1'),
  'one whose link is not there': copyOf(REAL, FORGED, 'intent_link = 99, outcome_link = null, outcome = null'),
  'one whose actor was changed': `update audit set actor = 'nobody' ${OF(REAL)}`,
  'one whose outcome was changed': `update audit set outcome = replace(outcome, '1.234', '9') ${OF(REAL)}`,
  'one whose outcome was changed and is in no link': `update audit set outcome = replace(outcome, '1.234', '9'), outcome_link = null ${OF(REAL)}`,
  'one that is said to be in another link': `update audit set intent_link = 4 ${OF(REAL)}`,
  'one whose cause was changed': `update audit set cause = 'script' ${OF(REAL)}`,
  'one whose link was changed': 'update audit_links set at = at + 1 where number = 2',
  'one whose link has the items of another': `update audit_links set digests = (select digests from audit_links where number = 2)
    where number = 4; update audit set intent_link = 4, outcome_link = 4 ${OF(REAL)}`,
  'one whose link has nothing left': 'update audit_links set digests = null where number = 2',
  'one that was removed': "update audit_links set removed = '03' where number = 2",
};

/** Holds the chain of one implementation to what is promised of it. */
export function testChain(open: (t: TestContext, limits?: { readonly maxBytes: number }) => Promise<ChainedLog>): void {
  const fresh = async (t: TestContext) => {
    const log = await open(t);
    await writeBatches(log.auditLog, ['a1', 'a2', 'a3'], ['b1', 'b2', 'b3'], ['c1', 'c2']);
    return log;
  };

  test('a log that nobody has touched is whole, with a link for each move', async (t) => {
    const { auditLog, openReader } = await fresh(t);
    const late = sampleIntent('late', { at: NOW + 20_000 });
    await auditLog.begin(late);
    await auditLog.settle();
    await auditLog.finish(late, SAMPLE_OUTCOME);
    await auditLog.settle();
    for (const reader of [auditLog, await openReader()]) {
      const { chains, unchained, findings } = await verify(reader);
      assert.deepEqual(findings, []);
      assert.deepEqual(
        chains.map(({ number, links, items }) => [number, links, items]),
        [[6, 6, 18]],
      );
      assert.equal(unchained, 0);
    }
  });

  test('texts that no database gives back as they were written do not look changed', async (t) => {
    const { auditLog } = await open(t);
    const intent = sampleIntent('odd', {
      at: NOW,
      actor: 'a\0b',
      resource: 'c\ud800d',
      details: { reason: 'e\0\udfff' },
    });
    await auditLog.begin(intent);
    await auditLog.settle();
    assert.deepEqual(briefly(await verify(auditLog)), []);
  });

  test('a record is found as fast among many of its time, and one that is not there is missed as fast', async (t) => {
    const log = await open(t);
    const at = NOW + 30_000;
    const idOf = (end: string) =>
      `${at
        .toString(16)
        .padStart(12, '0')
        .replace(/^(.{8})/, '$1-')}-7000-8000-${end}`;
    const [known, unknown] = [idOf('000000000001'), idOf('000000000002')];
    await log.auditLog.begin(sampleIntent(known, { at: at + 40_000 }));
    await log.auditLog.settle();
    await log.execute(
      `create temporary table copied as
         with recursive numbers (number) as (select 1 union all select number + 1 from numbers where number < 60000)
         select audit.*, number from audit, numbers where request_id = '${known}';
       update copied set request_id = 'other ' || number, at = at - number;
       alter table copied drop column number;
       insert into audit select * from copied; drop table copied`,
    );
    const timeOf = async (requestId: string, isFound: boolean) => {
      const startedAt = performance.now();
      const found = await log.auditLog.chain.place(requestId);
      assert.equal(found?.record.requestId, isFound ? requestId : undefined);
      return performance.now() - startedAt;
    };
    for (const [id, isFound] of [[known, true] as const, [unknown, false] as const]) {
      // The best of many: what else the machine does must not count.
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 50; round += 1) best = Math.min(best, await timeOf(id, isFound));
      assert.ok(best < 3, `${id} took ${best.toFixed(1)} ms`);
    }
  });

  test('a head that is given is on disk, also one that has come while the log was read', async (t) => {
    const { auditLog } = await open(t);
    await writeBatches(auditLog, ['a1']);
    const { chain } = auditLog;
    let onDisk = 0;
    let isNewThere = false;
    const reader = {
      ...chain,
      async chains() {
        const chains = await chain.chains();
        onDisk = chains[0]?.number ?? 0;
        return chains;
      },
      async links(query: Parameters<typeof chain.links>[0]) {
        if (!isNewThere) await writeBatches(auditLog, ['b1']);
        isNewThere = true;
        return await chain.links(query);
      },
    };
    const [{ number } = { number: 0 }] = (await verifyAudit({ reader })).chains;
    assert.deepEqual([number, onDisk], [3, 3]);
  });

  test('a page of links ends when it has many bytes, and pages have every link once', async (t) => {
    const { auditLog } = await open(t);
    for (let batch = 0; batch < 12; batch += 1) {
      const at = NOW + batch;
      await auditLog.begin(sampleIntent(`large ${batch}`, { at, details: { evidence: 'x'.repeat(20_000) } }));
      await auditLog.settle();
    }
    const [{ writer } = { writer: '' }] = await auditLog.chain.chains();
    const numbers: number[] = [];
    for (;;) {
      const links = await auditLog.chain.links({ writer, after: numbers.at(-1) ?? 0, limit: 100 });
      if (links.length === 0) break;
      const bytes = Buffer.byteLength(JSON.stringify(links));
      assert.ok(bytes < 80_000, `${links.length} links of ${bytes} bytes`);
      numbers.push(...links.map(({ number }) => number));
    }
    assert.deepEqual(
      numbers,
      Array.from({ length: 13 }, (_, index) => index + 1),
    );
  });

  for (const [name, { does, found }] of Object.entries(MANIPULATIONS)) {
    test(`the verification finds ${name}, and nothing else`, async (t) => {
      const log = await fresh(t);
      assert.deepEqual(briefly(await verify(log.auditLog)), []);
      for (const statement of does) await log.execute(statement);
      const unique = (kinds: readonly string[]) => [...kinds].sort();
      assert.deepEqual(unique(briefly(await verify(log.auditLog))), unique(found));
    });
  }

  test('the verification finds a record that was put in later, with a link or without one', async (t) => {
    const log = await fresh(t);
    await log.execute(copyOf('b1', 'planted', `at = ${NOW + 4_500}`));
    await log.execute(copyOf('b1', 'loose', `at = ${NOW + DAY_MS}, intent_link = null, outcome_link = null`));
    const found = briefly(await verify(log.auditLog));
    assert.ok(found.includes('inserted 3 planted') && found.includes('inserted loose'), found.join(', '));
  });

  for (const [name, does] of Object.entries(FORGERIES)) {
    test(`the place of a record is not that of ${name}`, async (t) => {
      const log = await open(t);
      await writeBatches(log.auditLog, [REAL, 'script 1'], ['b1']);
      const place = async (id: string) => await log.auditLog.chain.place(id);
      const real = await place(REAL);
      assert.deepEqual([real?.fits, real?.intent?.number, real?.outcome?.number], [true, 2, 2]);
      await log.execute(does);
      const forged = (await place(FORGED)) ?? (await place(REAL));
      assert.equal(forged?.fits, false);
    });
  }

  test('an end that was cut off is found by whoever knows a link of it', async (t) => {
    const log = await fresh(t);
    const { chains } = await verify(log.auditLog);
    const known = chains.map(({ id, number, hash }) => ({ chain: id, number, hash, digests: [], source: 'a receipt' }));
    const whole = await verify(log.auditLog, { known });
    assert.deepEqual(briefly(whole), []);
    const [{ writer } = { writer: '' }] = chains;
    const named = `link 4 of the chain of ${writer} is the one that a receipt names, and 0 links follow it`;
    assert.deepEqual(whole.confirmed, [named]);
    assert.deepEqual((await verify(log.auditLog)).confirmed, [], 'nothing is known from elsewhere');
    await log.execute('delete from audit where intent_link = 4');
    await log.execute('delete from audit_links where number = 4');
    assert.deepEqual((await verify(log.auditLog, { known })).confirmed, []);
    const found: FindingKind[] = (await verify(log.auditLog, { known })).findings.map(({ kind }) => kind);
    assert.ok(found.length > 0 && found.every((kind) => kind === 'cut_off'), found.join(', '));
    const [{ message } = { message: '' }] = (await verify(log.auditLog, { known })).findings.slice(-1);
    assert.equal(message, 'the chain ends with link 3, but a receipt is in link 4: its end was cut off');
  });

  test('a chain that is not there is told of once, however many links of it are known from one place', async (t) => {
    const { auditLog } = await fresh(t);
    const link = { chain: 'other', hash: 'aa', digests: [], source: 'a receipt' };
    const { findings } = await verify(auditLog, { known: [1, 2].map((number) => ({ ...link, number })) });
    assert.deepEqual(
      findings.map(({ message }) => message),
      ['a receipt is in the chain other, which is not there at all'],
    );
  });

  test('a chain that was written again from some record on is found by whoever knows a later link', async (t) => {
    const log = await fresh(t);
    const { chains } = await verify(log.auditLog);
    const known = chains.map(({ id, number }) => ({
      ...{ chain: id, number, hash: '00'.repeat(32), digests: [], source: 'a receipt' },
    }));
    const again = await verify(log.auditLog, { known });
    assert.deepEqual([briefly(again), again.confirmed], [['link_changed 4'], []]);
  });

  test('what is removed for its age is on record, and links of which nothing is left go', async (t) => {
    const log = await fresh(t);
    log.advance(2 * DAY_MS);
    await log.auditLog.removeBefore(NOW + 5_000);
    const { chains, findings } = await verify(log.auditLog);
    assert.deepEqual(findings, []);
    assert.deepEqual(
      chains[0]?.removals.map(({ reason, before, records }) => [reason, before, records]),
      [['retention', NOW + 5_000, 4]],
    );
    assert.equal((await log.auditLog.chain.chains())[0]?.base.number, 2);
    await log.execute(`delete from audit ${OF('b3')}`);
    assert.deepEqual(briefly(await verify(log.auditLog)), ['removed 3']);
    log.advance(2 * DAY_MS);
    await log.auditLog.removeBefore(NOW + 60_000);
    assert.deepEqual(briefly(await verify(log.auditLog)), ['removed 3']);
  });

  test('what was taken away cannot hide behind a removal that is on record', async (t) => {
    const log = await fresh(t);
    log.advance(2 * DAY_MS);
    await log.auditLog.removeBefore(NOW + 5_000);
    await log.execute(`delete from audit ${OF('b2')}`);
    await log.execute("update audit_links set removed = '0f' where number = 3");
    assert.deepEqual(briefly(await verify(log.auditLog)), ['removed 3']);
    await log.execute('delete from audit where intent_link = 3');
    await log.execute('update audit_links set digests = null where number = 3');
    assert.deepEqual(briefly(await verify(log.auditLog)), ['removed 3']);
  });

  test('a beginning that was cut off looks like no removal', async (t) => {
    const log = await fresh(t);
    log.advance(2 * DAY_MS);
    await log.auditLog.removeBefore(NOW + 3_500);
    await log.execute('delete from audit where intent_link = 3');
    await log.execute('delete from audit_links where number <= 3');
    await log.execute(`update audit_chains set base_number = 3, base_hash = '${'11'.repeat(32)}'`);
    assert.deepEqual(briefly(await verify(log.auditLog)), ['link_reordered 4', 'link_removed 3']);
  });

  test('records of scripts that are removed for the size of the log leave the others verifiable', async (t) => {
    const log = await open(t, { maxBytes: 60_000 });
    const batches = Array.from({ length: 40 }, (_, batch) =>
      Array.from({ length: 10 }, (_, index) => `${index === 5 ? 'operator' : 'script'} ${batch} ${index}`),
    );
    await writeBatches(log.auditLog, ...batches);
    log.advance(DAY_MS / 2);
    await log.auditLog.removeBefore(0);
    const { chains, findings } = await verify(log.auditLog);
    assert.deepEqual(findings, []);
    const [removal] = chains[0]?.removals ?? [];
    assert.ok(removal?.onlyScripts && removal.reason === 'size' && removal.records > 100, JSON.stringify(removal));
    await log.execute(`delete from audit where request_id = 'operator 1 5'`);
    assert.deepEqual(
      (await verify(log.auditLog)).findings.map(({ kind }) => kind),
      ['removed'],
    );
  });
}
