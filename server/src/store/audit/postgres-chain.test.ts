import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { openMigrated, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { temporaryDirectory } from '../test-store.ts';
import { SAMPLE_OUTCOME, sampleIntent } from './audit-log.contract.ts';
import { DAY_MS, NOW, testChain, verify, writeBatches } from './chain.contract.ts';
import { openPostgresAuditBeside, openPostgresAuditLog } from './postgres.ts';
import { postgresChainReader } from './postgres-chain.ts';
import { type ForgeableLog, testRemovals } from './removals.contract.ts';

const skip = whyNoPostgres;
const server = usePostgres();

interface Place {
  readonly url: string;
  readonly directory: string;
  readonly node: string;
}

async function open(t: TestContext, place: Partial<Place> = {}, limits: { maxBytes?: number } = {}) {
  const { url = await server.migratedDatabase(t), directory = temporaryDirectory(t), node = 'a' } = place;
  const { sessions } = await openMigrated(t, url);
  const clock = new ManualClock(NOW);
  const parts = { directory, node, installation: 'here', sessions, clock, log: recordedLog().log };
  const auditLog = await openPostgresAuditLog({ ...parts, ...limits });
  t.after(() => auditLog.close());
  return { auditLog, clock, sessions, place: { url, directory, node } };
}

describe('[postgres] the chain of audit records', { skip }, () => {
  const openLog = async (t: TestContext, limits?: { readonly maxBytes: number }): Promise<ForgeableLog> => {
    const { auditLog, clock, sessions, place } = await open(t, {}, limits);
    return {
      auditLog,
      advance: (ms) => clock.advance(ms),
      execute: async (statement) => void (await server.execute(place.url, statement)),
      openReader: async () => openPostgresAuditBeside({ ...place, sessions }),
      async append({ number, at, kind, previous, hash, content, note }) {
        const bytes = [previous, hash, content].map((hex) => `decode('${hex}', 'hex')`).join(', ');
        const values = `'${place.node}', ${number}, ${at}, '${kind}', ${bytes}, '${note}'`;
        const insert = 'insert into audit_links (writer, number, at, kind, previous, hash, content, note)';
        await server.execute(place.url, `${insert} values (${values})`);
        await server.execute(place.url, `update audit_chains set number = ${number}, hash = '${hash}'`);
      },
    };
  };
  testChain(openLog);
  testRemovals(openLog);

  test('is one for each node, and one for all commands', async (t) => {
    const a = await open(t);
    const b = await open(t, { url: a.place.url, node: 'b' });
    await Promise.all([writeBatches(a.auditLog, ['1', '2'], ['3']), writeBatches(b.auditLog, ['1'], ['4'], ['5'])]);
    for (const node of ['command 1', 'command 2']) {
      const command = openPostgresAuditBeside({ ...a.place, node, sessions: a.sessions });
      await command.begin(sampleIntent(node, { at: NOW }));
      await command.finish(sampleIntent(node, { at: NOW }), SAMPLE_OUTCOME);
    }
    const { chains, findings } = await verify(b.auditLog);
    assert.deepEqual(findings, []);
    assert.deepEqual(
      chains.map(({ writer, links, items }) => [writer, links, items]),
      [
        ['a', 3, 6],
        ['b', 4, 6],
        ['commands', 5, 4],
      ],
    );
    await server.execute(a.place.url, "delete from audit where node = 'b' and request_id = '4'");
    assert.deepEqual(
      (await verify(b.auditLog)).findings.map(({ kind, writer, link }) => [kind, writer, link]),
      [['removed', 'b', 3]],
    );
  });

  test('has a journal that is moved twice once', async (t) => {
    const { auditLog, place } = await open(t);
    const journal = join(place.directory, 'audit.journal');
    for (const id of ['1', '2']) await auditLog.begin(sampleIntent(id));
    await auditLog.finish(sampleIntent('1'), SAMPLE_OUTCOME);
    const before = readFileSync(journal);
    await auditLog.settle();
    await auditLog.finish(sampleIntent('2'), SAMPLE_OUTCOME);
    const late = readFileSync(journal);
    await auditLog.close();
    writeFileSync(journal, Buffer.concat([before, late]));
    const again = await open(t, place);
    await again.auditLog.settle();
    const { chains, findings } = await verify(again.auditLog);
    assert.deepEqual([findings, chains[0]?.items], [[], 4]);
  });

  test('finds records that no chain has by the indexes of links, where one chain has nearly all records', async (t) => {
    const { auditLog, place, sessions } = await open(t);
    await writeBatches(auditLog, ['1', '2'], ['3']);
    const columns = 'at, request_id, node, cause, actor, source_address, operation, resource, chain, intent_link';
    await server.execute(
      place.url,
      `insert into audit (${columns}, outcome_link) select number, 'r' || number, 'a', 'operator', '', '', '', '', 'a', 2, 2 + number % 2
       from generate_series(1, 20000) as number`,
    );
    await server.execute(place.url, 'analyze audit');
    const plans: string[] = [];
    const explaining: typeof sessions = {
      ...sessions,
      use: (work) =>
        sessions.use(({ query }) =>
          work({
            async query(text, values) {
              const { rows } = await query<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
              plans.push(...rows.map((row) => row['QUERY PLAN']));
              return await query(text, values);
            },
          }),
        ),
    };
    const { strays } = await postgresChainReader(explaining).looseRecords();
    assert.deepEqual(strays, []);
    assert.ok(plans.length > 0);
    const looks = plans.filter((line) => /Seq Scan on audit( |$)/.test(line));
    assert.deepEqual(looks, []);
  });

  test('goes on while another node removes records', async (t) => {
    const a = await open(t);
    const b = await open(t, { url: a.place.url, node: 'b' });
    const batches = Array.from({ length: 30 }, (_, batch) =>
      Array.from({ length: 20 }, (_, index) => `${batch} ${index}`),
    );
    const removing = (async () => {
      for (const { clock } of [a, b]) clock.advance(2 * DAY_MS);
      for (let until = 0; until < 40; until += 1) await b.auditLog.removeBefore(NOW + until * 10_000);
    })();
    await Promise.all([writeBatches(a.auditLog, ...batches), removing]);
    const { findings } = await verify(b.auditLog);
    assert.deepEqual(findings, []);
  });
});
