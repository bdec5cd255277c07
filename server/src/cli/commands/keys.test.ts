import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { NO_CHAIN } from '../../../test/support/no-chain.ts';
import { createTestWorld, ROOT } from '../../../test/support/world.ts';
import { policyOfRole } from '../../domain/access/roles.ts';
import { ServiceError } from '../../errors.ts';
import type { openAdministration } from '../../main.ts';

type Access = Awaited<ReturnType<typeof openAdministration>>['access'];

function createKeyWorld(parts: Partial<Access>) {
  const events: string[] = [];
  const unexpected = async () => {
    throw new Error('this test did not expect that call');
  };
  const access = {
    findCredential: unexpected,
    ensureRoot: unexpected,
    createKey: unexpected,
    listKeys: unexpected,
    listPageOfKeys: unexpected,
    findKey: unexpected,
    listKeysOf: unexpected,
    revokeKey: unexpected,
    rotateRoot: unexpected,
    ...parts,
  };
  const world = createTestWorld({
    main: {
      openAdministration: async ({ settings }) => {
        events.push(`open ${settings.dataDir}`);
        return {
          access,
          auditLog: { chain: NO_CHAIN, find: unexpected },
          findMissing: async ({ game, stage }) => {
            events.push('look');
            if (game !== 'Demo') return 'game';
            return stage === 'Dev' || stage === undefined ? undefined : 'stage';
          },
          record: unexpected,
          close: async () => void events.push('close'),
        };
      },
    },
  });
  return { world, events };
}

describe('keys', () => {
  it('creates a key from a policy file and shows its secret once', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'respark-keys-'));
    t.after(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'policy.json'), '{"Statement":[]}');
    const given: unknown[] = [];
    const { world, events } = createKeyWorld({
      createKey: async (key) => {
        given.push(key);
        return { ...ROOT, warnings: [] };
      },
    });
    const path = join(directory, 'policy.json');
    assert.equal(await world.run('keys', 'create', '--policy', path, '--description', 'mods', '--data-dir', '/d'), 0);
    assert.deepEqual(given, [{ policy: '{"Statement":[]}', description: 'mods' }]);
    assert.equal(world.out(), "Access key id      AKIAROOT\nSecret access key  it's/secret+40\n");
    assert.deepEqual(events, ['open /d', 'close']);
  });

  it('reads the policy from stdin and prints JSON for scripts', async () => {
    const { world } = createKeyWorld({ createKey: async () => ({ ...ROOT, warnings: [] }) });
    world.stdin.end('{}');
    await world.run('keys', 'create', '--policy', '-', '--json');
    assert.deepEqual(JSON.parse(world.out()), ROOT);
  });

  it('warns of resources of another region or account, which mean nothing here', async () => {
    const arn = (place: string) => `arn:aws:gamesparks:${place}:game/Demo`;
    for (const [place, isHere] of [
      ['us-east-1:000000000000', true],
      ['us-*:*', true],
      ['eu-west-1:000000000000', false],
      ['us-east-1:111122223333', false],
    ] as const) {
      const { world } = createKeyWorld({ createKey: async () => ({ ...ROOT, warnings: [] }) });
      const statement = { Effect: 'Deny', Action: '*', Resource: ['*', arn(place)] };
      world.stdin.end(JSON.stringify({ Version: '2012-10-17', Statement: statement }));
      assert.equal(await world.run('keys', 'create', '--policy', '-'), 0);
      const [first = ''] = world.err().split('\n');
      if (isHere) assert.doesNotMatch(first, /^warning/);
      else
        assert(first.startsWith(`warning: "${arn(place)}" means no resource of a server with the region us-east-1 `));
    }
  });

  it('repeats why a policy is refused, exits with 1 and still closes the store', async () => {
    const { world, events } = createKeyWorld({
      createKey: async () => {
        throw new ServiceError('validation', 'Statement[0].Effect must be Allow or Deny');
      },
    });
    world.stdin.end('{}');
    assert.equal(await world.run('keys', 'create', '--policy', '-'), 1);
    assert.equal(world.err(), 'Statement[0].Effect must be Allow or Deny\n');
    assert.deepEqual(events, ['open ./respark-data', 'close']);
  });

  it('exits with 2 when the policy file cannot be read, before it opens the store', async () => {
    const { world, events } = createKeyWorld({});
    assert.equal(await world.run('keys', 'create', '--policy', '/nowhere/policy.json'), 2);
    assert.equal(world.err(), '--policy must name a file that can be read, got "/nowhere/policy.json" (ENOENT)\n');
    assert.deepEqual(events, []);
  });

  it('creates a key for a role, with the policy that --print-policy shows', async () => {
    const given: { policy: string; description: string }[] = [];
    const { world } = createKeyWorld({
      createKey: async (key) => {
        given.push(key);
        return { ...ROOT, warnings: [] };
      },
    });
    const role = ['keys', 'create', '--role', 'moderator', '--game', 'Demo', '--stage', 'Dev'];
    assert.equal(await world.run(...role), 0, world.err());
    const [key] = given;
    assert.equal(key?.description, 'moderator, game Demo, stage Dev');
    assert.deepEqual(JSON.parse(key?.policy ?? ''), policyOfRole('moderator', { game: 'Demo', stage: 'Dev' }));
    const shown = createKeyWorld({});
    assert.equal(await shown.world.run(...role, '--print-policy'), 0);
    assert.equal(shown.world.out(), key?.policy);
    assert.deepEqual(shown.events, [], 'no data directory is needed');
  });

  it('warns when there is no game or stage of the name, since the key may do nothing then', async () => {
    for (const [limits, warning] of [
      [['--game', 'Demo'], ''],
      [['--game', 'GAME'], 'warning: there is no game "GAME": the key counts once there is one of this name\n'],
      [
        ['--game', 'GAME', '--stage', 'Dev'],
        'warning: there is no game "GAME": the key counts once there is one of this name\n',
      ],
      [
        ['--game', 'Demo', '--stage', 'STAGE'],
        'warning: there is no stage "STAGE" in game "Demo": the key counts once there is one of this name\n',
      ],
      [[], ''],
    ] as const) {
      const { world, events } = createKeyWorld({ createKey: async () => ({ ...ROOT, warnings: [] }) });
      assert.equal(await world.run('keys', 'create', '--role', 'moderator', ...limits), 0);
      assert.equal(world.err(), `${warning}Save the secret now; it cannot be shown again.\n`);
      assert.match(world.out(), /^Access key id +AKIAROOT\n/);
      assert.equal(events.includes('look'), limits.length > 0);
    }
  });

  it('takes a role or a policy, and limits only for a role', async () => {
    for (const [flags, complaint] of [
      [[], /^give the key a --role \(viewer, moderator, operator, developer, admin\) or a --policy\n$/],
      [['--role', 'king'], /'--role <name>' argument 'king' is invalid/],
      [['--role', 'viewer', '--policy', '-'], /cannot be used with option '--policy/],
      [['--game', 'Demo', '--policy', '-'], /cannot be used with option '--policy/],
    ] as const) {
      const { world, events } = createKeyWorld({});
      assert.equal(await world.run('keys', 'create', ...flags), 2, world.err());
      assert.match(world.err(), complaint);
      assert.deepEqual(events, []);
    }
    const { world } = createKeyWorld({});
    assert.equal(await world.run('keys', 'create', '--role', 'viewer', '--stage', 'Dev'), 1);
    assert.match(world.err(), /Name the game too\n$/);
  });

  it('repeats what of a policy has no effect, beside the key', async () => {
    const { world } = createKeyWorld({ createKey: async () => ({ ...ROOT, warnings: ['It has \u202e no effect.'] }) });
    world.stdin.end('{}');
    assert.equal(await world.run('keys', 'create', '--policy', '-', '--json'), 0);
    assert.deepEqual(JSON.parse(world.out()), ROOT);
    assert.match(world.err(), /^warning: It has \\u\{202e\} no effect\.\n/);
  });

  it('lists keys without anything secret', async () => {
    const endless = { expiresAt: undefined, subject: undefined };
    const record = { policy: '{}', isRoot: true, revokedAt: undefined, state: 'active', ...endless } as const;
    const mods = { ...record, isRoot: false, createdAt: 1_000, description: 'mods\u202e' };
    const { world } = createKeyWorld({
      listKeys: async () => [
        { ...record, id: 'AKIAROOT', description: '', createdAt: 0 },
        {
          ...mods,
          ...{ id: 'AKIAMOD', revokedAt: 2_000, state: 'revoked' },
          policy: JSON.stringify(policyOfRole('moderator', { game: 'Demo' })),
        },
        { ...mods, id: 'AKIAOLD', expiresAt: 3_000, state: 'expired', subject: 'https://login.example ada-1' },
      ],
    });
    assert.equal(await world.run('keys', 'list'), 0);
    assert.equal(
      world.out(),
      [
        'ACCESS KEY  STATE    ROLE       CREATED                   EXPIRES                   SUBJECT                      DESCRIPTION',
        'AKIAROOT    active   root       1970-01-01T00:00:00.000Z  never                     -                            root',
        'AKIAMOD     revoked  moderator  1970-01-01T00:00:01.000Z  never                     -                            mods\\u{202e}',
        'AKIAOLD     expired  -          1970-01-01T00:00:01.000Z  1970-01-01T00:00:03.000Z  https://login.example ada-1  mods\\u{202e}',
        '',
      ].join('\n'),
    );
  });

  it('lists as JSON whose a key is that somebody has signed in to get', async () => {
    const key = { policy: '{}', isRoot: false, revokedAt: undefined, state: 'active', description: 'Ada' } as const;
    const { world } = createKeyWorld({
      listKeys: async () => [
        { ...key, id: 'AKIAMADE', createdAt: 0, expiresAt: undefined, subject: undefined },
        { ...key, id: 'AKIASIGN', createdAt: 0, expiresAt: 3_000, subject: 'https://login.example ada-1' },
      ],
    });
    assert.equal(await world.run('keys', 'list', '--json'), 0);
    const listed = JSON.parse(world.out()) as { subject: unknown }[];
    assert.deepEqual(
      listed.map(({ subject }) => subject),
      [null, 'https://login.example ada-1'],
    );
  });

  it('revokes a key', async () => {
    const revoked: string[] = [];
    const { world } = createKeyWorld({ revokeKey: async (id) => void revoked.push(id) });
    assert.equal(await world.run('keys', 'revoke', 'AKIAMOD'), 0);
    assert.deepEqual(revoked, ['AKIAMOD']);
    assert.equal(world.out(), 'revoked AKIAMOD\n');
  });

  it('replaces the root key', async () => {
    const { world } = createKeyWorld({ rotateRoot: async () => ROOT });
    assert.equal(await world.run('keys', 'rotate-root', '--json'), 0);
    assert.deepEqual(JSON.parse(world.out()), ROOT);
  });

  it('asks on a terminal before it replaces the secret key, with which all guests end', async () => {
    for (const [args, answer, isReplaced] of [
      [[], 'y\n', true],
      [[], 'Yes\n', true],
      [[], '\n', false],
      [[], 'no\n', false],
      [[], '', false],
      [['--yes'], '', true],
    ] as const) {
      let replaced = 0;
      const world = createTestWorld({
        isTTY: true,
        main: {
          replaceSecretKey: async () => {
            replaced += 1;
            return { from: 'one', to: 'two' };
          },
        },
      });
      world.stdin.end(answer);
      assert.equal(await world.run('keys', 'rotate-secret', ...args), isReplaced ? 0 : 1, answer);
      assert.equal(replaced, isReplaced ? 1 : 0, answer);
      assert.match(world.err(), /guests, whom\nonly their token names, come back as new players/);
      assert.equal(world.err().includes('Replace the secret key? [y/N] '), args.length === 0);
    }
  });

  it('asks no script before it replaces the secret key', async () => {
    const world = createTestWorld({ main: { replaceSecretKey: async () => ({ from: 'one', to: 'two' }) } });
    assert.equal(await world.run('keys', 'rotate-secret'), 0);
    assert.equal(world.out(), 'replaced secret key one by two\n');
    assert.match(world.err(), /^What ends with the old secret key/);
  });
});
