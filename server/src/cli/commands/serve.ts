import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Settings } from '../../config/config.ts';
import { createLog, type Log } from '../../log.ts';
import type { RunningServer } from '../../main.ts';
import { letHeapsGrow } from '../heap-growth.ts';
import { wayRoundAddress } from '../ipv6-endpoint.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { evaluate, quoteForShell } from '../shell.ts';
import { formatTable } from '../table.ts';
import { CommandError, type StopSignal, type World } from '../world.ts';

export function serveCommand(world: World): Command {
  const command = new Command('serve')
    .description('Run the server until SIGTERM, SIGHUP or Ctrl-C, then drain; further signals, but SIGHUP, hurry it.')
    .option('--demo', 'create a game Demo with a stage Dev if they do not exist, and print what to try')
    .addHelpText(
      'after',
      `
Example: serve other machines from behind a proxy that terminates TLS
  $ respark serve --host 0.0.0.0 --trusted-proxies 10.0.0.0/8 --data-dir /var/lib/respark

Every flag can also be given as a variable: --max-games is RESPARK_MAX_GAMES. Secrets have no flags, only variables, or files that a variable names:
RESPARK_SECRET_KEY, RESPARK_SECRET_KEY_FILE, RESPARK_ROOT_SECRET_ACCESS_KEY, RESPARK_ROOT_SECRET_ACCESS_KEY_FILE.`,
    )
    .action(async () => await serve(world, settingsOf(world, command), command.opts().demo === true));
  return addSettingOptions(command);
}

/**
 * Serves until the first signal, DrainNode or uncaught error, then drains and closes. After an error, and when another server
 * has taken the database, it throws a CommandError.
 */
async function serve(world: World, settings: Settings, isDemo: boolean): Promise<void> {
  const log = createLog({ level: settings.logLevel, destination: { write: (line) => void world.stderr.write(line) } });
  letHeapsGrow();
  const { startServer } = await world.loadMain();
  const stop = whenToStop(world, log);
  try {
    const server = await startServer({ settings, log, demo: isDemo });
    const isTerminal = world.stdout.isTTY === true;
    world.stdout.write(banner({ server, settings, showSecret: isTerminal, platform: world.platform }));
    for (const warning of server.warnings) world.stderr.write(`\nWarning: ${warning}\n`);
    const reason = await Promise.race([
      stop.reason,
      server.drainAsked.then(() => 'DrainNode' as const),
      server.displaced.then((advice) => ({ advice })),
    ]);
    if (typeof reason === 'object') {
      await server.close();
      throw new CommandError(
        `stopped because another server uses the database since this one lost its connection: ${reason.advice}`,
      );
    }
    const say = (what: string) => void world.stderr.write(`${reason}: ${what}\n`);
    const { drainDelayMs, drainTimeoutMs } = settings;
    // A person who presses Ctrl-C in a terminal waits for no load balancer.
    const isAtOnce = reason === 'crash' || (reason === 'SIGINT' && isTerminal);
    const hasDelay = !isAtOnce && drainDelayMs > 0;
    if (hasDelay) {
      const next = reason === 'DrainNode' ? 'a' : 'a second';
      say(`refusing new players and calls for ${drainDelayMs} ms; ${next} signal goes on at once`);
      await stop.unlessHurried((hurry) => server.turnAway(hurry));
    }
    if (reason !== 'crash') {
      say(`draining, at most ${drainTimeoutMs} ms; ${hasDelay ? 'another' : 'a second'} signal stops at once`);
    }
    try {
      await server.drain();
    } finally {
      await server.close();
    }
    if (reason === 'crash') throw new CommandError('stopped after an uncaught error; see the log');
  } finally {
    stop.release();
  }
}

type StopReason = StopSignal | 'crash';

/** The exit code that a shell reports for a process ended by the signal. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 };

/**
 * The first signal or uncaught error is the reason to stop. Any later signal ends the process by itself, except while
 * `unlessHurried` waits for its work: the signal then resolves the promise that the work got. A SIGHUP does neither: when a
 * terminal is closed, its shell and the kernel send one each, and neither is meant to hurry the server.
 */
function whenToStop(world: World, log: Log) {
  const releases: (() => void)[] = [];
  let hurry: (() => void) | undefined;
  const reason = new Promise<StopReason>((settle) => {
    let isStopping = false;
    const offSignal = world.onSignal((signal) => {
      if (signal !== 'SIGHUP') {
        if (hurry !== undefined) hurry();
        else if (isStopping) world.exit(EXIT_CODES[signal]);
        hurry = undefined;
      }
      isStopping = true;
      settle(signal);
    });
    const offCrash = world.onCrash((error) => {
      log.error({ err: error }, 'uncaught error, stopping');
      isStopping = true;
      settle('crash');
    });
    releases.push(offSignal, offCrash);
  });
  return {
    reason,
    async unlessHurried(work: (hurry: Promise<void>) => Promise<void>): Promise<void> {
      await work(
        new Promise<void>((resolve) => {
          hurry = resolve;
        }),
      );
      hurry = undefined;
    },
    release() {
      for (const release of releases) release();
    },
  };
}

function banner({
  server,
  settings,
  showSecret,
  platform,
}: {
  server: RunningServer;
  settings: Settings;
  showSecret: boolean;
  platform: NodeJS.Platform;
}): string {
  const { root, demo } = server;
  // Redirected output may be read by others before the minute is over.
  const consoleLine =
    showSecret && server.consoleLink !== undefined
      ? `${server.consoleLink} (works once, within a minute; "npx --no respark console${dataDirOption({ settings, platform })}" prints another)`
      : server.consoleUrl;
  const facts = [
    ['  Management API', server.url],
    ['  Players', server.playerUrl],
    ...(consoleLine === undefined ? [] : [['  Console', consoleLine]]),
    ['  Data directory', resolve(settings.dataDir)],
    ['  Root access key', root.accessKeyId],
    ['  Its secret', describeSecret(root, showSecret)],
    ...(demo === undefined
      ? []
      : [['  Demo', `game ${demo.gameName}, stage ${demo.stageName}, game key ${demo.gameKey}`]]),
  ];
  return `\nRespark is serving.\n\n${formatTable(facts)}${demo === undefined ? '' : suggestions({ server, settings, demo, platform })}`;
}

/** Shows the secret only when it is new, and only to a terminal: redirected output may end up in a log. */
function describeSecret({ secretAccessKey, credentialsFile, isNew }: RunningServer['root'], mayShow: boolean): string {
  if (credentialsFile === undefined) return 'as given in the settings';
  return mayShow && isNew ? `${secretAccessKey} (also in ${credentialsFile})` : `in ${credentialsFile}`;
}

/**
 * A command in another terminal knows the data directory only if it is the default, in the same folder. Nowhere else would
 * npx find the command; it is told to fetch none then, because a package of that name in the registry is not this one.
 */
function dataDirOption({ settings, platform }: { settings: Settings; platform: NodeJS.Platform }): string {
  return settings.sources.dataDir === 'default'
    ? ''
    : ` --data-dir ${quoteForShell(resolve(settings.dataDir), platform)}`;
}

/** The commands to try next, to be typed as they are. */
function suggestions({
  server,
  settings,
  demo,
  platform,
}: {
  server: RunningServer;
  settings: Settings;
  platform: NodeJS.Platform;
  demo: NonNullable<RunningServer['demo']>;
}): string {
  const dataDir = dataDirOption({ settings, platform });
  const wayRound = wayRoundAddress(server.url);
  const player = `--game-name ${demo.gameName} --stage-name ${demo.stageName} --player-id ${demo.playerId}`;
  return `
Connect a player, in a second terminal in this folder:

  npx --no respark connect${dataDir}

Disconnect that player with an AWS client, in a third:

  ${evaluate(`npx --no respark env${dataDir}`, platform)}
  aws gamesparks disconnect-player ${player} --endpoint-url ${server.url}
${wayRound === undefined ? '' : `\n  ${wayRound}.\n`}
`;
}
