import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTestWorld } from '../../test/support/world.ts';
import { StartupError } from '../startup-error.ts';
import { createProgram } from './program.ts';

describe('every command', () => {
  const commands = createProgram(createTestWorld()).commands.flatMap((command) =>
    command.commands.length === 0
      ? [[command.name()]]
      : [[command.name()], ...command.commands.map((child) => [command.name(), child.name()])],
  );

  for (const words of commands) {
    it(`shows help with an example: ${words.join(' ')}`, async () => {
      const world = createTestWorld();
      assert.equal(await world.run(...words, '--help'), 0);
      assert.match(world.out(), /Usage: respark/);
      assert.match(world.out(), /\nExample/);
      assert.equal(world.err(), '');
    });
  }

  it('has a flag of "serve" for every setting that is not a secret', async () => {
    const world = createTestWorld();
    await world.run('serve', '--help');
    assert.match(world.out(), /--max-connections-per-player <number>/);
    assert.match(world.out(), /\nPlayers:\n/);
    assert.doesNotMatch(world.out(), /--secret-key|--root-secret/);
  });
});

describe('the command line', () => {
  it('prints its version', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('--version'), 0);
    assert.equal(world.out(), '1.2.3\n');
  });

  it('suggests the command that was meant, and exits with 2', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('conect'), 2);
    assert.match(
      world.err(),
      /^error: unknown command 'conect' \(Did you mean connect\?\) \(--help shows the usage\)\n$/,
    );
    assert.equal(world.out(), '');
  });

  it('names a misspelled option before the one that is missing for it', async () => {
    for (const [args, meant] of [
      [['block', '--gmae', 'Demo', '--player', 'ada'], "unknown option '--gmae' (Did you mean --game?)"],
      [['import', 'demo.json', '--gam', 'Demo'], "unknown option '--gam' (Did you mean --game?)"],
      [['jobs', 'show', '--game', 'Demo', '--staeg', 'Dev'], "unknown option '--staeg' (Did you mean --stage?)"],
    ] as const) {
      const world = createTestWorld();
      assert.equal(await world.run(...args), 2);
      assert.equal(world.err(), `error: ${meant} (--help shows the usage)\n`);
    }
    const world = createTestWorld();
    assert.equal(await world.run('jobs', 'show', '--game', 'Demo'), 2);
    assert.match(world.err(), /^error: required option '--stage <name>' not specified/);
    const helped = createTestWorld();
    assert.equal(await helped.run('jobs', 'show', '--gmae', 'Demo', '--help'), 0);
    assert.match(helped.out(), /^Usage: respark jobs show/);
  });

  for (const args of [
    [],
    ['keys'],
    ['serve', '--port'],
    ['serve', '--prot', '1'],
    ['keys', 'create'],
    ['serve', 'now'],
  ]) {
    it(`exits with 2 when it is not understood: respark ${args.join(' ')}`, async () => {
      const world = createTestWorld();
      assert.equal(await world.run(...args), 2);
      assert.notEqual(world.err(), '');
      assert.equal(world.out(), '');
    });
  }

  it('exits with 2 and one line for each fault when a setting is wrong', async () => {
    const world = createTestWorld({ env: { RESPARK_PORT: '80a' } });
    assert.equal(await world.run('serve', '--log-level', 'loud'), 2);
    assert.deepEqual(world.err().trim().split('\n'), [
      'RESPARK_PORT must be 0-65535, got "80a" (from the environment)',
      '--log-level must be debug, info, warn or error, got "loud" (from the command line)',
    ]);
  });

  it('exits with 1 and one line, without a stack, when the server cannot start', async () => {
    const startServer = async () => {
      throw new StartupError('port 8080 is taken');
    };
    const world = createTestWorld({ main: { startServer } });
    assert.equal(await world.run('serve'), 1);
    assert.equal(world.err(), 'port 8080 is taken\n');
    assert.equal(world.handlers(), 0);
  });

  it('shows nothing of an error that a terminal would act on, and its lines as lines', async () => {
    const startServer = async () => {
      throw new StartupError('the server says \u001b]0;x\u0007\nand more');
    };
    const world = createTestWorld({ main: { startServer } });
    assert.equal(await world.run('serve'), 1);
    assert.equal(world.err(), 'the server says \\u{1b}]0;x\\u{7}\nand more\n');
  });

  it('shows nothing of a wrong command line, of a file or of a bug that a terminal would act on', async () => {
    const words = createTestWorld();
    assert.equal(await words.run('serve', '--\u001b]0;x\u0007'), 2);
    assert.match(words.err(), /^error: unknown option '--\\u\{1b\}\]0;x\\u\{7\}' \(--help shows the usage\)\n$/);
    for (const fault of [
      Object.assign(new Error('EACCES'), { code: 'EACCES', path: 'a\u009b2Jb' }),
      new TypeError('\u009b2J'),
    ]) {
      const startServer = async () => {
        throw fault;
      };
      const world = createTestWorld({ main: { startServer } });
      assert.equal(await world.run('serve'), 1);
      assert.match(world.err(), /\\u\{9b\}2J/);
      assert.equal(world.err().includes('\u009b'), false);
    }
  });

  it('shows the stack of a bug', async () => {
    const startServer = async () => {
      throw new TypeError('x is not a function');
    };
    const world = createTestWorld({ main: { startServer } });
    assert.equal(await world.run('serve'), 1);
    assert.match(world.err(), /^unexpected failure, please report it: TypeError: x is not a function\n {4}at /);
  });
});

describe('config', () => {
  it('prints every setting and where its value comes from', async () => {
    const world = createTestWorld({ env: { RESPARK_SECRET_KEY: `${'ab'.repeat(21)}c=` } });
    assert.equal(await world.run('config', 'print', '--port', '81'), 0);
    assert.match(world.out(), /^RESPARK_PORT +81 +the command line$/m);
    assert.match(world.out(), /^RESPARK_PLAYER_PORT +- +default$/m);
    assert.match(world.out(), /^RESPARK_SECRET_KEY +set +the environment$/m);
    assert.doesNotMatch(world.out(), /abab/);
  });

  it('prints JSON for scripts', async () => {
    const world = createTestWorld();
    await world.run('config', 'print', '--json');
    const [host] = JSON.parse(world.out());
    assert.deepEqual(host, { key: 'host', env: 'RESPARK_HOST', value: '127.0.0.1', source: 'default' });
  });

  it('checks without starting anything', async () => {
    const good = createTestWorld();
    assert.equal(await good.run('config', 'check'), 0);
    const bad = createTestWorld({ env: { RESPARK_MAX_GAMES: 'many' } });
    assert.equal(await bad.run('config', 'check'), 2);
    assert.equal(bad.out(), '');
  });
});
