import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { Command } from 'commander';
import { listGames } from '../../api/operations/games.ts';
import { type Settings, SettingsError } from '../../config/config.ts';
import { DATABASE_FILE, isServerFile } from '../../data-directory/server-files.ts';
import { findFileFault } from '../../file-fault.ts';
import { createLog } from '../../log.ts';
import { findNodeFault } from '../../node-release.ts';
import { findOpenFileLimit, neededOpenFiles } from '../../open-files.ts';
import { UnmigratedError } from '../../startup-error.ts';
import { printable } from '../../text.ts';
import { findProxyDetour } from '../http-proxy.ts';
import { describeCause, findEndpoint, getCredentials, ManagementClient, ServiceRefusal } from '../management-client.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { evaluate } from '../shell.ts';
import { formatJson } from '../table.ts';
import { CommandError, type World } from '../world.ts';

/** ok = nothing to do, warn = something does not work that may matter, fail = the server will not work. */
interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly advice?: string;
}

const REPLY_TIMEOUT_MS = 5_000;
/** The AWS CLI takes seconds to start on a small machine. */
const AWS_CLI_TIMEOUT_MS = 30_000;

export function doctorCommand(world: World): Command {
  const command = new Command('doctor')
    .description('Check everything that a server and its clients need on this machine, and say what to fix.')
    .option('--json', 'print a JSON array of { check, state, detail, advice }')
    .addHelpText(
      'after',
      '\nExample:\n  $ respark doctor --data-dir /var/lib/respark\n\nExit codes: 0 no check failed; 1 a check failed; 2 wrong usage.',
    )
    .action(async () => {
      const findings = await examine(world, command);
      world.stdout.write(command.opts().json === true ? formatJson(findings) : findings.map(describe).join(''));
      const failed = findings.filter(({ state }) => state === 'fail').length;
      if (failed > 0) throw new CommandError(`${failed} of ${findings.length} checks failed`);
    });
  return addSettingOptions(command, ['dataDir', 'maxConnections']);
}

/** All checks in order. Faults of the settings skip the checks that need settings, and nothing else. */
async function examine(world: World, command: Command): Promise<Finding[]> {
  const findings = [checkNode(process.versions.node)];
  try {
    const settings = settingsOf(world, command);
    findings.push({ check: 'settings', state: 'ok', detail: 'valid' });
    findings.push(await checkDataDirectory(settings.dataDir));
    const database = await checkDatabase(world, settings);
    findings.push(...database);
    // Without the database, its faults would be those of the key too.
    if (database.every(({ state }) => state !== 'fail')) findings.push(...(await checkStore(world, settings)));
    findings.push(...(await checkServer(world, settings)));
    findings.push(...(await checkCredentials(world, settings)));
    findings.push(...(await checkProxy(world, settings)));
    findings.push(...(await checkRedis(world, settings)));
    findings.push(await checkOpenFiles(settings, world.platform));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const fault of error.faults) findings.push({ check: 'settings', state: 'fail', detail: fault });
  }
  findings.push(await checkAwsCli(world.env.PATH ?? '', world.platform));
  return findings;
}

function checkNode(version: string): Finding {
  const check = 'Node.js';
  const fault = findNodeFault(version, Date.now());
  if (fault === undefined) return { check, state: 'ok', detail: version };
  const { isFatal, detail, advice } = fault;
  return { check, state: isFatal ? 'fail' : 'warn', detail, advice };
}

async function checkDataDirectory(dataDir: string): Promise<Finding> {
  const check = 'data directory';
  const path = resolve(dataDir);
  try {
    const { mode, uid } = await stat(path);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const entries = await readdir(path);
    const modes = await Promise.all(entries.map(async (name) => ({ name, mode: (await stat(join(path, name))).mode })));
    // A volume of the superuser's lets the server in by a group, and its other directories are not the server's.
    const isVolume = uid === 0 && process.geteuid?.() !== 0;
    const ours = isVolume ? modes.filter(({ name }) => isServerFile(name)) : [{ name: '.', mode }, ...modes];
    const open = ours.filter((entry) => (entry.mode & 0o077) !== 0);
    if (open.length === 0 || process.platform === 'win32') return { check, state: 'ok', detail: path };
    const names = open.slice(0, 3).map(({ name }) => name);
    const detail = `${path}: other users of this machine can access ${names.join(', ')}`;
    return { check, state: 'fail', detail, advice: `chmod -R go= ${path}` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return { check, state: 'ok', detail: `${path} does not exist yet; "respark serve" creates it` };
    const { cause = code, cure: advice = 'see what is wrong with it' } = findFileFault(error) ?? {};
    return { check, state: 'fail', detail: `${path}: ${cause} (${code})`, advice };
  }
}

/** What cannot be opened is not looked through: the first fault says more. */
async function checkStore(world: World, settings: Settings): Promise<Finding[]> {
  if (settings.databaseUrl !== undefined || !existsSync(settings.dataDir))
    return [await checkSecretKey(world, settings)];
  const check = 'databases';
  const { findDamagedFiles, findMissingDatabases } = await world.loadMain();
  // Before anything opens them: SQLite gives a file without a byte its first page.
  const missing = await findMissingDatabases(resolve(settings.dataDir));
  const secretKey = await checkSecretKey(world, settings);
  if (secretKey.state === 'fail') return [secretKey];
  if (missing.length > 0) {
    const detail = `missing or empty, so that the next start begins them anew: ${missing.join(', ')}`;
    const advice = 'put them back from where the other files came, unless they were never there';
    return [secretKey, { check, state: 'warn', detail, advice }];
  }
  const damage = await findDamagedFiles(resolve(settings.dataDir));
  if (damage.length === 0) return [secretKey, { check, state: 'ok', detail: 'those up to 256 MiB are not damaged' }];
  return [secretKey, ...damage.map((detail): Finding => ({ check, state: 'fail', detail }))];
}

/** Opens the store with the configured secret key; this works beside a running server, and changes nothing. */
async function checkSecretKey(world: World, settings: Settings): Promise<Finding> {
  const check = 'secret key';
  const { dataDir, databaseUrl } = settings;
  const nothing: Finding = { check, state: 'ok', detail: 'there is nothing that is encrypted yet' };
  // A server whose settings bring the root key leaves no root credentials.
  const hasStarted =
    databaseUrl !== undefined ||
    existsSync(join(dataDir, DATABASE_FILE)) ||
    (await world.localFiles.rootCredentials(dataDir)) !== undefined;
  if (!hasStarted) return nothing;
  try {
    const log = logOf(world);
    const { openAdministration } = await world.loadMain();
    const administration = await openAdministration({ settings, log });
    await administration.close();
    return { check, state: 'ok', detail: 'decrypts the stored secrets' };
  } catch (error) {
    if (error instanceof UnmigratedError) {
      return error.version === 0 ? nothing : { check, state: 'warn', detail: `not tried: ${error.message}` };
    }
    return { check, state: 'fail', detail: error instanceof Error ? error.message : String(error) };
  }
}

function logOf({ stderr }: World) {
  return createLog({ level: 'error', destination: { write: (line) => void stderr.write(line) } });
}

/** What is kept in the data directory has no database to check. */
async function checkDatabase(world: World, settings: Settings): Promise<Finding[]> {
  const { databaseUrl } = settings;
  if (databaseUrl === undefined) return [];
  const check = 'database';
  try {
    const { examineDatabase } = await world.loadMain();
    const findings = await examineDatabase({ settings: { ...settings, databaseUrl }, log: logOf(world) });
    return findings.map((finding) => ({ check, ...finding }));
  } catch (error) {
    return [{ check, state: 'fail', detail: error instanceof Error ? error.message : String(error) }];
  }
}

/** A single node has no Redis to check. */
async function checkRedis(world: World, settings: Settings): Promise<Finding[]> {
  const { redisUrl } = settings;
  if (redisUrl === undefined) return [];
  const check = 'Redis';
  try {
    const { examineRedis } = await world.loadMain();
    return (await examineRedis({ ...settings, redisUrl })).map((finding) => ({ check, ...finding }));
  } catch (error) {
    const detail = `it does not answer: ${describeCause(error)}`;
    return [{ check, state: 'fail', detail, advice: 'see that it runs, and that RESPARK_REDIS_URL names it' }];
  }
}

async function checkServer(world: World, settings: Settings): Promise<Finding[]> {
  const check = 'server';
  const running = await world.localFiles.running(settings.dataDir);
  if (running === undefined) {
    const killed = await world.localFiles.lastRunning(settings.dataDir);
    if (killed !== undefined)
      return [{ check, state: 'fail', detail: `that of ${killed.url} was killed`, advice: 'respark serve' }];
    return [{ check, state: 'warn', detail: 'none is running on this data directory', advice: 'respark serve' }];
  }
  const { url } = running;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REPLY_TIMEOUT_MS) });
    await response.arrayBuffer();
    return [{ check, state: 'ok', detail: `${url} answers` }, checkClock(settings, response.headers.get('date'))];
  } catch (error) {
    const detail = `${url} does not answer: ${describeCause(error)}`;
    const hasExpired = error instanceof Error && Object(error.cause).code === 'CERT_HAS_EXPIRED';
    const advice = hasExpired
      ? 'renew the certificate in the file of RESPARK_TLS_CERT_FILE: the server takes the new one by itself'
      : 'if it crashed, start it again: respark serve';
    return [{ check, state: 'fail', detail, advice }];
  }
}

/** Checks the credentials in the shell's environment, if there are any: AWS clients prefer them to all others. */
async function checkCredentials({ env, localFiles, platform }: World, settings: Settings): Promise<Finding[]> {
  if (!env.AWS_ACCESS_KEY_ID) return [];
  const check = 'credentials';
  const advice = evaluate('respark env', platform);
  if (!env.AWS_SECRET_ACCESS_KEY) {
    const detail = 'AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not';
    return [{ check, state: 'warn', detail, advice }];
  }
  const sources = { localFiles, settings, env };
  try {
    const [endpoint, credentials] = await Promise.all([findEndpoint(sources), getCredentials(sources)]);
    await new ManagementClient({ endpoint, credentials, region: settings.region }).call(listGames, { MaxResults: 1 });
  } catch (error) {
    // A call that is refused only for lack of permission was signed correctly.
    if (!(error instanceof ServiceRefusal && error.errorName === 'AccessDeniedException')) {
      return [{ check, state: 'warn', detail: error instanceof Error ? error.message : String(error), advice }];
    }
  }
  return [{ check, state: 'ok', detail: 'the server accepts calls signed with AWS_ACCESS_KEY_ID' }];
}

/** Only the environment of this shell counts: a proxy in it takes the calls of AWS clients that are started here. */
async function checkProxy({ env, localFiles, platform }: World, settings: Settings): Promise<Finding[]> {
  const endpoint = await findEndpoint({ localFiles, settings, env });
  const detour = findProxyDetour(env, endpoint);
  if (detour === undefined) return [];
  const { variable, host, noProxy } = detour;
  const detail = `${variable} is set and NO_PROXY does not exclude ${host}: AWS clients send their calls to the proxy`;
  const advice = `${evaluate('respark env', platform)}, or set NO_PROXY and no_proxy to ${noProxy}`;
  return [{ check: 'proxy', state: 'warn', detail, advice }];
}

function checkClock({ maxClockSkewMs }: Settings, date: string | null): Finding {
  const check = 'clock';
  const skewMs = Math.abs(Date.now() - Date.parse(date ?? ''));
  if (Number.isNaN(skewMs)) return { check, state: 'warn', detail: 'the server does not send its time' };
  const detail = `${Math.round(skewMs / 1_000)} s off the server's; signatures may be at most ${maxClockSkewMs / 1_000} s off`;
  if (skewMs > maxClockSkewMs)
    return { check, state: 'fail', detail, advice: 'correct the clock of this machine or the server' };
  return { check, state: skewMs > maxClockSkewMs / 5 ? 'warn' : 'ok', detail };
}

async function checkOpenFiles(settings: Settings, platform: NodeJS.Platform): Promise<Finding> {
  const check = 'open files';
  if (platform === 'win32') return { check, state: 'ok', detail: 'Windows sets a process no limit that matters' };
  const limit = await findOpenFileLimit(platform);
  const needed = neededOpenFiles(settings);
  const advice = `raise it (ulimit -n ${needed}) or lower RESPARK_MAX_CONNECTIONS`;
  if (limit === undefined) return { check, state: 'warn', detail: 'the limit is unknown', advice };
  const detail = `the limit is ${limit}, the server needs ${needed}`;
  return limit >= needed ? { check, state: 'ok', detail } : { check, state: 'warn', detail, advice };
}

/** AWS removed the service from its CLI in October 2023, so the first `aws` on the PATH may not know it. */
async function checkAwsCli(path: string, platform: NodeJS.Platform): Promise<Finding> {
  const check = 'AWS CLI';
  const program = platform === 'win32' ? 'aws.exe' : 'aws';
  const found: string[] = [];
  for (const directory of new Set(path.split(delimiter).filter((part) => part !== ''))) {
    const file = join(directory, program);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    const { exitCode } = await execute(
      file,
      ['gamesparks', 'disconnect-player', '--generate-cli-skeleton'],
      AWS_CLI_TIMEOUT_MS,
    );
    if (exitCode === 0 && found.length === 0) return { check, state: 'ok', detail: `${file} knows gamesparks` };
    if (exitCode === 0) {
      const detail = `${found[0]} does not know gamesparks, but ${file} does`;
      return { check, state: 'warn', detail, advice: `call ${file}` };
    }
    found.push(file);
  }
  if (found.length === 0) {
    return {
      check,
      state: 'warn',
      detail: 'there is none on the PATH',
      advice: 'install one, such as awscli of Debian 12',
    };
  }
  const detail = `${found.join(', ')}: no support for gamesparks`;
  return { check, state: 'warn', detail, advice: 'add the service to it: respark aws-model --install' };
}

/** Runs a program to its end. Never rejects: if it cannot be run or takes too long, its exit code is not 0. */
async function execute(file: string, args: string[], timeout: number): Promise<{ exitCode: number; stdout: string }> {
  return await new Promise((settle) => {
    const child = execFile(file, args, { timeout }, (error, stdout) => {
      settle({ exitCode: error === null ? 0 : (child.exitCode ?? 1), stdout });
    });
  });
}

function describe({ check, state, detail, advice }: Finding): string {
  // What other servers have answered, such as a database, may be in it.
  const lines = [`${state.padEnd(4)}  ${check}: ${detail}`, ...(advice === undefined ? [] : [`      → ${advice}`])];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
