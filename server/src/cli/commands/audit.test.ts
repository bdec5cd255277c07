import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { NO_CHAIN } from '../../../test/support/no-chain.ts';
import { createTestWorld } from '../../../test/support/world.ts';
import type { Administration } from '../administer.ts';

type Find = Administration['auditLog']['find'];
type AuditRecord = Awaited<ReturnType<Find>>['records'][number];

const RECORD: AuditRecord = {
  requestId: 'r1',
  at: 1_000,
  cause: 'operator',
  actor: 'AKIAMOD',
  sourceAddress: '192.0.2.7',
  operation: 'DisconnectPlayer',
  resource: 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo/stage/Dev/player/p1',
  playerId: 'p1',
  outcome: { error: undefined, durationMs: 1.5, successes: ['c1', 'c2'], failures: ['c3'] },
};

function createAuditWorld(records: readonly AuditRecord[]) {
  const events: string[] = [];
  const queries: Parameters<Find>[0][] = [];
  const world = createTestWorld({
    main: {
      openAdministration: async ({ settings }) => {
        events.push(`open ${settings.dataDir}`);
        return {
          access: {} as Administration['access'],
          auditLog: {
            chain: NO_CHAIN,
            async find(query) {
              queries.push(query);
              return { records: records.slice().reverse(), next: undefined };
            },
          },
          findMissing: async () => undefined,
          record: (_, rule) => rule(),
          close: async () => void events.push('close'),
        };
      },
    },
  });
  return { world, events, queries };
}

describe('audit', () => {
  it('shows which actor did what, to which player, from where and with what outcome', async () => {
    const denied = { error: 'not_found', durationMs: 0.3 };
    const old = { error: 'ConflictException', durationMs: 0.5 };
    const { world, events } = createAuditWorld([
      RECORD,
      { ...RECORD, requestId: 'r2', operation: 'DeleteGame', resource: 'a:b:c:d:e:game/X', outcome: denied },
      { ...RECORD, requestId: 'r3', resource: '', outcome: undefined },
      { ...RECORD, requestId: 'r4', cause: 'server', actor: 'demo', sourceAddress: '', operation: 'A', outcome: old },
    ]);
    assert.equal(await world.run('audit', '--data-dir', '/d'), 0);
    const line = (time: string, operation: string, key: string, from: string, resource: string, end: string) =>
      [time.padEnd(24), operation.padEnd(16), key.padEnd(7), from.padEnd(9), resource.padEnd(29), end].join('  ');
    const [time, player] = ['1970-01-01T00:00:01.000Z', 'game/Demo/stage/Dev/player/p1'];
    const who = ['AKIAMOD', '192.0.2.7'] as const;
    assert.deepEqual(world.out().split('\n'), [
      line('TIME', 'OPERATION', 'ACTOR', 'FROM', 'RESOURCE', 'REQUEST  OUTCOME'),
      line(time, 'DisconnectPlayer', ...who, player, 'r1       done, 2 closed, 1 not proven closed (1.5 ms)'),
      line(time, 'DeleteGame', ...who, 'game/X', 'r2       404 ResourceNotFoundException (0.3 ms)'),
      line(
        time,
        'DisconnectPlayer',
        ...who,
        '-',
        'r3       unknown (still under way, or the server stopped before it was written)',
      ),
      line(time, 'A', 'demo', 'server', player, 'r4       409 ConflictException (0.5 ms)'),
      '',
    ]);
    assert.deepEqual(events, ['open /d', 'close']);
  });

  it('shows no text of a caller as a fact of its own', async () => {
    const forged = { evidence: 'match 81, aim "0.98", dryRun: true', until: 'x,  dryRun: true' };
    const details = { reason: 'AFK', ...forged, told: 'Bye, and come back' };
    const { world } = createAuditWorld([{ ...RECORD, details }]);
    assert.equal(await world.run('audit', '--data-dir', '/d'), 0);
    const shown =
      'reason: AFK, evidence: "match 81, aim \\"0.98\\", dryRun: true", until: "x,  dryRun: true", told: Bye, and come back\n';
    assert.ok(world.out().endsWith(`(1.5 ms), ${shown}`), world.out());
  });

  it('prints JSON for scripts, with null for an unknown outcome', async () => {
    const { world } = createAuditWorld([RECORD, { ...RECORD, playerId: undefined, outcome: undefined }]);
    await world.run('audit', '--json');
    const { at: _, cause: __, ...rest } = RECORD;
    const intent = { ...rest, cause: 'OPERATOR' };
    const { playerId: ___, ...game } = intent;
    const outcome = { status: 200, durationMs: 1.5, successes: ['c1', 'c2'], failures: ['c3'] };
    assert.deepEqual(JSON.parse(world.out()), [
      { time: '1970-01-01T00:00:01.000Z', ...intent, outcome },
      { time: '1970-01-01T00:00:01.000Z', ...game, outcome: null },
    ]);
  });

  it('says so when nothing matches', async () => {
    const { world } = createAuditWorld([]);
    assert.equal(await world.run('audit'), 0);
    assert.equal(world.out(), 'no records match\n');
    const scripted = createAuditWorld([]).world;
    await scripted.run('audit', '--json');
    assert.equal(scripted.out(), '[]\n');
  });

  it('asks for what the flags say', async () => {
    const { world, queries } = createAuditWorld([]);
    await world.run('audit');
    await world.run('audit', '--player', 'p1', '--operation', 'CreateGame', '--limit', '5');
    const newest = { order: 'newest_first', after: undefined };
    assert.deepEqual(queries, [
      { playerId: undefined, operation: undefined, since: undefined, limit: 100, ...newest },
      { playerId: 'p1', operation: 'CreateGame', since: undefined, limit: 5, ...newest },
    ]);
  });

  it('warns of a name that is no operation, which no record can match', async () => {
    for (const [name, warning] of [
      ['DisconnectPlayer', ''],
      ['RestoreBackup', ''],
      ['ListAuditRecords', ''],
      ['Restore', 'warning: there is no operation "Restore": did you mean RestoreBackup?\n'],
      ['disconnectplayer', 'warning: there is no operation "disconnectplayer": did you mean DisconnectPlayer?\n'],
      ['DisconectPlayer', 'warning: there is no operation "DisconectPlayer": did you mean DisconnectPlayer?\n'],
      ...['Ban', 'Get'].map((name) => [
        name,
        `warning: there is no operation "${name}": "respark api" lists those of calls, and on the server's machine there are CreateRootAccessKey, ChangeRootAccessKey, RotateRootAccessKey, CreateAccessKey, RevokeAccessKey, RotateSecretKey, CreateConsoleLink, RestoreBackup, CopyStore\n`,
      ]),
    ] as const) {
      const { world } = createAuditWorld([]);
      assert.equal(await world.run('audit', '--operation', name), 0);
      assert.deepEqual([world.out(), world.err()], ['no records match\n', warning]);
    }
  });

  it('takes durations and times', async () => {
    const since = async (text: string) => {
      const { world, queries } = createAuditWorld([]);
      assert.equal(await world.run('audit', '--since', text), 0, world.err());
      return queries[0]?.since ?? Number.NaN;
    };
    const UNITS = { '90s': 90_000, '30m': 1_800_000, '1h': 3_600_000, '2d': 172_800_000 };
    for (const [text, ageMs] of Object.entries(UNITS)) {
      const [before, at, after] = [Date.now(), await since(text), Date.now()];
      assert(at >= before - ageMs && at <= after - ageMs, text);
    }
    assert.equal(await since('2026-01-31'), Date.UTC(2026, 0, 31));
    assert.equal(await since('2026-01-31T12:30:00Z'), Date.UTC(2026, 0, 31, 12, 30));
    assert.equal(await since('2026-01-31T12:30:00.250+02:00'), Date.UTC(2026, 0, 31, 10, 30, 0, 250));
  });

  it('takes a time before 1970 for 1970', async () => {
    for (const text of ['999999999d', '1000000d', '0001-01-01']) {
      const { world, queries } = createAuditWorld([]);
      assert.equal(await world.run('audit', '--since', text), 0, world.err());
      assert.equal(queries[0]?.since, 0);
    }
  });

  it('exits with 2 for what no server and no file could answer', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: { AuditRecords: [] } }));
    assert.equal(await world.run('audit', '--operation', 'bad name!'), 2);
    assert.match(world.err(), /'bad name!' at 'operation'/);
    assert.deepEqual(requests, []);
  });

  it('waits when the server has no capacity for another page', async (t) => {
    let calls = 0;
    const { world, url } = await startFakeService(t, () => {
      calls += 1;
      if (calls === 2) return refusal('ThrottlingException', 'try again in 1000 ms', 429);
      return { body: { AuditRecords: [], NextToken: calls === 1 ? 'next' : undefined } };
    });
    assert.equal(await world.run('audit', '--endpoint-url', url), 0, world.err());
    assert.deepEqual([calls, world.out()], [3, 'no records match\n']);
  });

  it('exits with 2 for an invalid time or number, before it opens the store', async () => {
    const days = ['2026-13-01', '2026-02-29', '2026-04-31T12:00:00Z'];
    for (const text of ['', '1', 'h', '1w', '-1h', '1.5h', 'yesterday', ...days, '2026-01-31T', '1h 30m']) {
      const { world, events } = createAuditWorld([]);
      assert.equal(await world.run('audit', `--since=${text}`), 2, text);
      assert.equal(
        world.err(),
        `--since must be a duration such as 30m, 1h or 2d, or a time such as 2026-01-31T12:00:00Z, got "${text}"\n`,
      );
      assert.deepEqual(events, []);
    }
    for (const text of ['0', '-1', '1e3', '100001', 'all', '']) {
      const { world, events } = createAuditWorld([]);
      assert.equal(await world.run('audit', `--limit=${text}`), 2, text);
      assert.equal(world.err(), `--limit must be 1-100000, got "${text}"\n`);
      assert.deepEqual(events, []);
    }
  });

  it('shows an example in its help', async () => {
    const { world } = createAuditWorld([]);
    assert.equal(await world.run('audit', '--help'), 0);
    assert.match(world.out(), /\$ respark audit --player \S+ --operation DisconnectPlayer --since 1h/);
  });
});
