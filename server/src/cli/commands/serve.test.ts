import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTestWorld, ROOT } from '../../../test/support/world.ts';
import type { RunningServer } from '../../main.ts';

/**
 * A server that records the order of what happens to it; it turns callers away until it is hurried, and `drain` stays
 * pending until `drained` is called.
 */
function createFakeServer(parts: Partial<RunningServer> = {}) {
  const events: string[] = [];
  let drained = () => {};
  const drain = new Promise<void>((resolve) => {
    drained = resolve;
  });
  const server: RunningServer = {
    url: 'http://127.0.0.1:8080',
    metricsUrl: 'http://127.0.0.1:8080/metrics',
    playerUrl: 'ws://127.0.0.1:8080/connect',
    root: { accessKeyId: ROOT.accessKeyId, credentialsFile: '/data/root-key', isNew: false },
    demo: { gameName: 'Demo', stageName: 'Dev', gameKey: 'k3y', playerId: 'demo-player' },
    warnings: [],
    drainAsked: new Promise(() => {}),
    displaced: new Promise(() => {}),
    counts: () => ({}),
    turnAway: async (hurry) => {
      events.push('turn away');
      await hurry;
    },
    drain: async () => {
      events.push('drain');
      await drain;
    },
    close: async () => void events.push('close'),
    ...parts,
  };
  return { server, events, drained: () => drained() };
}

async function start(
  options: { isTTY?: boolean; platform?: NodeJS.Platform; server?: Partial<RunningServer> } = {},
  ...args: string[]
) {
  const fake = createFakeServer(options.server);
  const { isTTY = false, platform = 'linux' } = options;
  const world = createTestWorld({ isTTY, platform, main: { startServer: async () => fake.server } });
  const exitCode = world.run('serve', ...args);
  await world.printed('Respark is serving');
  return { ...fake, world, exitCode };
}

describe('serve', () => {
  it('passes on the settings of the command line, and --demo', async () => {
    const { server } = createFakeServer();
    const seen: unknown[] = [];
    const world = createTestWorld({
      main: {
        startServer: async ({ settings, demo }) => {
          seen.push(settings.port, settings.maxGames, demo);
          return server;
        },
      },
    });
    void world.run('serve', '--demo', '--port', '0', '--max-games', '7');
    await world.printed('Respark is serving');
    assert.deepEqual(seen, [0, 7, true]);
  });

  it('says the way round for clients that cannot call an IPv6 address', async () => {
    const { world } = await start({ server: { url: 'http://[::1]:8193' } });
    assert.match(world.out(), /cannot call http:\/\/\[::1\]:8193: give them http:\/\/localhost:8193,/);
    assert.doesNotMatch((await start()).world.out(), /cannot call/);
  });

  it('says where it serves and what to type next', async () => {
    const { world } = await start();
    assert.match(world.out(), /Management API +http:\/\/127\.0\.0\.1:8080\n/);
    assert.match(world.out(), /Players +ws:\/\/127\.0\.0\.1:8080\/connect\n/);
    assert.match(world.out(), /game key k3y\n/);
    assert.match(world.out(), /^ {2}npx --no respark connect\n/m);
    assert.match(world.out(), /^ {2}eval "\$\(npx --no respark env\)"\n/m);
    assert.match(
      world.out(),
      /^ {2}aws gamesparks disconnect-player --game-name Demo --stage-name Dev --player-id demo-player --endpoint-url http:\/\/127\.0\.0\.1:8080\n/m,
    );
  });

  it('names a data directory that is not the default in those commands', async () => {
    const { world } = await start({}, '--data-dir', "/srv/it's here");
    assert.match(world.out(), /npx --no respark connect --data-dir '\/srv\/it'\\''s here'\n/);
  });

  it('names commands of PowerShell on Windows', async () => {
    const { world } = await start({ platform: 'win32' }, '--data-dir', "/srv/it's here");
    const dataDir = "--data-dir '/srv/it''s here'";
    assert.ok(world.out().includes(`  npx --no respark connect ${dataDir}\n`), world.out());
    assert.ok(world.out().includes(`  npx --no respark env ${dataDir} | Out-String | Invoke-Expression\n`));
    assert.doesNotMatch(world.out(), /eval/);
  });

  it('suggests nothing without a demo game', async () => {
    const { server } = createFakeServer();
    const { demo: _, ...withoutDemo } = server;
    const world = createTestWorld({ main: { startServer: async () => withoutDemo } });
    void world.run('serve');
    await world.printed('Respark is serving');
    assert.doesNotMatch(world.out(), /npx/);
  });

  it('shows the link that signs in to a terminal only, and for how long it works', async () => {
    const consoleUrl = 'http://127.0.0.1:8080/console/';
    const server = { consoleUrl, consoleLink: `${consoleUrl}#code=a-code` };
    const terminal = await start({ isTTY: true, server });
    assert.match(
      terminal.world.out(),
      /Console +http:\S+#code=a-code \(works once, within a minute; "npx --no respark console" prints another\)\n/,
    );
    const file = await start({ isTTY: false, server });
    assert.match(file.world.out(), /Console +http:\S+\/console\/\n/);
    assert(!file.world.out().includes('a-code'));
  });

  it('shows the secret of a new root key to a terminal only, and never that of an old one', async () => {
    const isNew = { ...ROOT, credentialsFile: '/data/root-key', isNew: true };
    for (const [isTTY, root, isShown] of [
      [true, isNew, true],
      [false, isNew, false],
      [true, { ...isNew, isNew: false }, false],
    ] as const) {
      const { world } = await start({ isTTY, server: { root } });
      assert.equal((world.out() + world.err()).includes(ROOT.secretAccessKey), isShown);
      assert.ok(world.out().includes('/data/root-key'));
    }
  });

  it('names no file when the root key comes from the settings', async () => {
    const { world } = await start({ server: { root: { accessKeyId: 'AKIASET', isNew: false } } });
    assert.match(world.out(), /Root access key +AKIASET\n +Its secret +as given in the settings\n/);
  });

  it('repeats the warnings of the server', async () => {
    const { world } = await start({ server: { warnings: ['players are served without TLS'] } });
    assert.match(world.err(), /Warning: players are served without TLS\n/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`drains on ${signal}, then closes and exits with 0`, async () => {
      const { world, events, drained, exitCode } = await start({}, '--drain-delay-ms', '0');
      world.signal(signal);
      await world.printed(`${signal}: draining, at most 10000 ms; a second signal stops at once`);
      assert.deepEqual(events, ['drain']);
      drained();
      assert.equal(await exitCode, 0);
      assert.deepEqual(events, ['drain', 'close']);
      assert.deepEqual(world.exits, []);
      assert.equal(world.handlers(), 0);
    });
  }

  it('turns callers away before it drains; the next signal hurries it, and the one after that ends it', async () => {
    const { world, events, exitCode, drained } = await start({}, '--drain-delay-ms', '7000');
    world.signal('SIGTERM');
    await world.printed('SIGTERM: refusing new players and calls for 7000 ms; a second signal goes on at once');
    assert.deepEqual(events, ['turn away']);
    world.signal('SIGINT');
    await world.printed('SIGTERM: draining, at most 10000 ms; another signal stops at once');
    assert.deepEqual([events, world.exits], [['turn away', 'drain'], []]);
    world.signal('SIGINT');
    assert.deepEqual(world.exits, [130]);
    drained();
    assert.equal(await exitCode, 0);
  });

  for (const [signal, waits] of [
    ['SIGINT', false],
    ['SIGTERM', true],
  ] as const) {
    it(`${waits ? 'waits' : 'does not wait'} for load balancers after ${signal} in a terminal`, async () => {
      const { world, events } = await start({ isTTY: true }, '--drain-delay-ms', '7000');
      world.signal(signal);
      await world.printed(waits ? 'SIGTERM: refusing' : 'SIGINT: draining, at most 10000 ms');
      assert.deepEqual(events, [waits ? 'turn away' : 'drain']);
    });
  }

  it('drains when an operator asks for it; a signal hurries it, and is not the second one', async () => {
    const drainAsked = Promise.resolve();
    const { world, events, exitCode, drained } = await start({ server: { drainAsked } }, '--drain-delay-ms', '7000');
    await world.printed('DrainNode: refusing new players and calls for 7000 ms; a signal goes on at once');
    world.signal('SIGTERM');
    await world.printed('DrainNode: draining, at most 10000 ms; another signal stops at once');
    assert.deepEqual([events, world.exits], [['turn away', 'drain'], []]);
    drained();
    assert.equal(await exitCode, 0);
    assert.deepEqual(events, ['turn away', 'drain', 'close']);
    assert.equal(world.handlers(), 0);
  });

  it('closes at once, and fails, when another server has taken the database', async () => {
    const { world, events, exitCode } = await start(
      { server: { displaced: Promise.resolve('stop one of them') } },
      ...['--drain-delay-ms', '7000'],
    );
    assert.equal(await exitCode, 1);
    assert.deepEqual(events, ['close'], 'its players do not stay for the time of a drain');
    assert.match(world.err(), /another server uses the database since this one lost its connection: stop one of them/);
    assert.equal(world.handlers(), 0);
  });

  it('does not end at once on the first signal after an operator has asked it to drain', async () => {
    const { world, drained, exitCode } = await start(
      { server: { drainAsked: Promise.resolve() } },
      ...['--drain-delay-ms', '0'],
    );
    await world.printed('DrainNode: draining, at most 10000 ms; a second signal stops at once');
    world.signal('SIGTERM');
    assert.deepEqual(world.exits, []);
    world.signal('SIGTERM');
    assert.deepEqual(world.exits, [143]);
    drained();
    assert.equal(await exitCode, 0);
  });

  it('ends at once on a second signal', async () => {
    const { world, events } = await start({}, '--drain-delay-ms', '0');
    world.signal('SIGTERM');
    world.signal('SIGINT');
    assert.deepEqual(world.exits, [130]);
    world.signal('SIGTERM');
    assert.deepEqual(world.exits, [130, 143]);
    assert.ok(!events.includes('close'));
  });

  it('is not hurried by a SIGHUP, which a terminal that is closed sends more than once', async () => {
    const { world, events, drained, exitCode } = await start({}, '--drain-delay-ms', '7000');
    world.signal('SIGHUP');
    await world.printed('SIGHUP: refusing new players and calls for 7000 ms; a second signal goes on at once');
    world.signal('SIGHUP');
    assert.deepEqual([events, world.exits], [['turn away'], []]);
    world.signal('SIGTERM');
    await world.printed('SIGHUP: draining, at most 10000 ms; another signal stops at once');
    world.signal('SIGHUP');
    assert.deepEqual(world.exits, []);
    drained();
    assert.equal(await exitCode, 0);
    assert.deepEqual(events, ['turn away', 'drain', 'close']);
  });

  it('stops when a signal arrives while it is starting', async () => {
    const { server, events, drained } = createFakeServer();
    let started = () => {};
    const starting = new Promise<void>((resolve) => {
      started = resolve;
    });
    const world = createTestWorld({
      main: {
        startServer: async () => {
          world.signal('SIGTERM');
          await starting;
          return server;
        },
      },
    });
    const exitCode = world.run('serve', '--drain-delay-ms', '0');
    started();
    drained();
    assert.equal(await exitCode, 0);
    assert.deepEqual(events, ['drain', 'close']);
  });

  it('logs an uncaught error, drains and exits with 1', async () => {
    const { world, events, drained, exitCode } = await start();
    world.crash(new Error('boom'));
    world.crash(new Error('boom again'));
    await world.printed('boom again');
    drained();
    assert.equal(await exitCode, 1);
    assert.deepEqual(events, ['drain', 'close']);
    assert.deepEqual(world.exits, []);
  });
});
