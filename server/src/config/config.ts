import { readFileSync } from 'node:fs';
import { parseIpRange } from '../ip-address.ts';
import type { LogLevel } from '../log.ts';
import { StartupError } from '../startup-error.ts';
import { choice, file, integer, list, type Setting, secret, text } from './setting.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process, for whoever starts the program; everything else is handed one. */
export function processEnvironment(): Environment {
  return process.env;
}

const DAY_MS = 86_400_000;
const MEBIBYTE = 1_048_576;

const listeners = {
  host: text({
    default: '127.0.0.1',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]+$/,
    help: 'Address that the management API listens on, and players too unless they have a listener of their own.',
  }),
  port: integer({ default: 8080, min: 0, max: 65_535, help: 'Port of the management API; 0 takes any free port.' }),
  playerHost: text({
    default: '',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]*$/,
    help: 'Address that players connect to when they have a port of their own; empty means the same as host.',
  }),
  playerPort: integer({
    default: undefined,
    min: 0,
    max: 65_535,
    help: 'Port of a listener for players alone; not set, they connect to the port of the management API.',
  }),
  tlsCertFile: file({ help: 'Certificate chain (PEM) of the management API; read again when it changes.' }),
  tlsKeyFile: file({ help: 'Private key (PEM) of the certificate.' }),
  playerTlsCertFile: file({ help: "Certificate chain (PEM) of the players' listener; not set, the management API's." }),
  playerTlsKeyFile: file({ help: "Private key (PEM) of the players' certificate." }),
  metricsHost: text({
    default: '',
    rule: 'a host name or address, without a scheme or port',
    pattern: /^(?!.*:\/\/)[^\s/[\]]*$/,
    help: 'Address of the listener for /metrics, /healthz and /readyz; empty means the same as host.',
  }),
  metricsPort: integer({
    default: undefined,
    min: 0,
    max: 65_535,
    help: 'Port of a listener for /metrics, /healthz and /readyz alone; not set, the management API serves them, /metrics to this machine only.',
  }),
  publicUrl: text({
    default: undefined,
    rule: 'an http or https URL without credentials or a query, not ending in /',
    pattern: /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*[^\s?#/])?$/,
    help: 'Where clients reach the management API, for the URLs of downloads; not set, the address that it listens on.',
  }),
  trustedProxies: list({
    rule: 'addresses or CIDR ranges, separated by commas',
    isItem: (item) => parseIpRange(item) !== undefined,
    help: 'Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.',
  }),
};

const identity = {
  dataDir: text({
    default: './respark-data',
    rule: 'a path',
    pattern: /^[^\0]+$/,
    help: 'Directory of everything that survives a restart. One server at a time.',
  }),
  region: text({
    default: 'us-east-1',
    rule: 'lower-case letters, digits and hyphens',
    pattern: /^[a-z0-9-]{1,64}$/,
    help: 'Region in the ARNs of games and stages. Calls signed for any region are accepted.',
  }),
  accountId: text({
    default: '000000000000',
    rule: '12 digits',
    pattern: /^\d{12}$/,
    help: 'Account in the ARNs of games and stages.',
  }),
  rootAccessKeyId: text({
    default: undefined,
    rule: '3-128 letters, digits or underscores',
    pattern: /^\w{3,128}$/,
    help: 'Access key id of the root key; with the root secret it wins over the stored root key.',
  }),
  rootSecretAccessKey: secret({
    rule: '8-128 printable ASCII characters without spaces',
    pattern: /^[!-~]{8,128}$/,
    help: 'Secret of the root key.',
  }),
  secretKey: secret({
    rule: '32 random bytes in base64, as "openssl rand -base64 32" prints them',
    pattern: /^[A-Za-z0-9+/_-]{43}=?$/,
    help: 'Key that stored secrets are encrypted with; not set, one is made in the data directory.',
  }),
  logLevel: choice({
    default: 'info' satisfies LogLevel,
    choices: ['debug', 'info', 'warn', 'error'] satisfies LogLevel[],
    help: 'The least important lines that are logged.',
  }),
  drainTimeoutMs: integer({
    default: 10_000,
    min: 0,
    max: 3_600_000,
    help: 'Longest time a stopping server waits for calls in flight and for players to be closed. Releasing what it holds then takes at most 5000 ms more.',
  }),
};

const management = {
  maxGames: integer({ default: 100, min: 1, max: 100_000, help: 'Games; one more is refused with 402.' }),
  maxStages: integer({ default: 20, min: 1, max: 10_000, help: 'Stages of a game; one more is refused with 409.' }),
  maxSnapshots: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: 'Snapshots of a game; one more is refused with 409.',
  }),
  maxConfigurationBytes: integer({
    default: 1_024_000,
    min: 1_024,
    // What is exported must fit an import.
    max: 1_024_000,
    help: "Size of a game's configuration as it is exported; a larger one is refused with 402.",
  }),
  maxDeployments: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: "Deployments kept in a stage's history; of more the oldest are forgotten.",
  }),
  maxGeneratedCodeJobs: integer({
    default: 20,
    min: 1,
    max: 100,
    help: 'Generated code jobs kept for a snapshot: the oldest that have ended are forgotten, and when none has, one more is refused with 429.',
  }),
  allowedRoles: list({
    rule: 'ARNs of IAM roles, with * and ? as wildcards, separated by commas',
    isItem: (item) => /^arn:\S+:\S+$/.test(item),
    help: 'Roles that a stage may have when something is deployed to it, or the deployment fails; empty allows any.',
  }),
  maxAccessKeys: integer({ default: 1_000, min: 1, max: 100_000, help: 'Access keys that are not revoked.' }),
  maxBodyBytes: integer({
    default: 65_536,
    min: 1_024,
    max: 16 * MEBIBYTE,
    help: 'Longest body of a request; a longer one is refused with 413. Imports and updates of configurations have limits of their own.',
  }),
  longBodyMemoryBytes: integer({
    default: 64 * MEBIBYTE,
    min: 2 * MEBIBYTE,
    max: 16_384 * MEBIBYTE,
    help: 'Memory for what bodies that may be longer have beyond RESPARK_MAX_BODY_BYTES, together; without room for its body a call is told to try again (429).',
  }),
  auditRetentionDays: integer({
    default: 90,
    min: 1,
    max: 36_500,
    help: 'How long the audit log keeps who changed what.',
  }),
  maxHttpSockets: integer({
    default: 5_000,
    min: 1,
    max: 10_000_000,
    help: 'Sockets of one listener that are not a WebSocket yet, or never will be; one more is destroyed.',
  }),
  maxHttpSocketsPerAddress: integer({
    default: 500,
    min: 1,
    max: 10_000_000,
    help: 'The same from one address (IPv6: /64), unless it is a trusted proxy.',
  }),
  headersTimeoutMs: integer({
    default: 10_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a client has to send the headers of a request; then its connection is closed.',
  }),
  requestTimeoutMs: integer({
    default: 30_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a client has to send a whole request; then its connection is closed.',
  }),
  keepAliveTimeoutMs: integer({
    default: 65_000,
    min: 100,
    max: DAY_MS,
    help: 'Time an idle HTTP connection is kept; longer than the idle time of a load balancer in front.',
  }),
  maxClockSkewMs: integer({
    default: 300_000,
    min: 1_000,
    max: DAY_MS,
    help: "Largest difference between a signature's time and the server's clock.",
  }),
  readCallsPerSecond: integer({ default: 100, min: 1, max: 1_000_000, help: 'Get and List calls of one access key.' }),
  readCallsBurst: integer({ default: 200, min: 1, max: 1_000_000, help: 'Get and List calls at once.' }),
  writeCallsPerSecond: integer({
    default: 20,
    min: 1,
    max: 1_000_000,
    help: 'Create, Update and Delete calls of one access key.',
  }),
  writeCallsBurst: integer({ default: 40, min: 1, max: 1_000_000, help: 'Create, Update and Delete calls at once.' }),
  disconnectCallsPerSecond: integer({
    default: 500,
    min: 1,
    max: 1_000_000,
    help: 'DisconnectPlayer calls of one access key.',
  }),
  disconnectCallsBurst: integer({ default: 1_000, min: 1, max: 1_000_000, help: 'DisconnectPlayer calls at once.' }),
  authFailuresPerMinutePerAddress: integer({
    default: 60,
    min: 1,
    max: 1_000_000,
    help: 'Failed authentications from one address, and from one address with one key; further ones are refused with 429.',
  }),
};

const players = {
  allowedOrigins: list({
    rule: 'origins such as https://game.example, null or *, separated by commas',
    isItem: isOrigin,
    help: 'Web pages whose players may connect; empty closes the server to browsers. null must be listed by name.',
  }),
  maxConnections: integer({
    default: 15_000,
    min: 1,
    max: 10_000_000,
    help: 'Connections of this node; one more is closed with 4004.',
  }),
  maxConnectionsPerAddress: integer({
    default: 1_000,
    min: 1,
    max: 10_000_000,
    help: 'Connections from one address (IPv6: /64); one more is closed with 4004.',
  }),
  maxConnectionsPerPlayer: integer({
    default: 10,
    min: 1,
    max: 10_000,
    help: 'Connections of one player; one more is closed with 4506.',
  }),
  maxUnauthenticated: integer({
    default: 1_000,
    min: 1,
    max: 10_000_000,
    help: 'Sockets that have not been welcomed yet; one more is refused with 503.',
  }),
  maxUnauthenticatedPerAddress: integer({
    default: 100,
    min: 1,
    max: 10_000_000,
    help: 'The same from one address (IPv6: /64).',
  }),
  handshakesPerSecond: integer({
    default: 1_000,
    min: 1,
    max: 1_000_000,
    help: 'New sockets of this node; one more is refused with 503.',
  }),
  handshakesPerSecondPerAddress: integer({
    default: 100,
    min: 1,
    max: 1_000_000,
    help: 'The same from one address (IPv6: /64).',
  }),
  authTimeoutMs: integer({
    default: 5_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a player has from connecting to a valid hello; then the socket is closed with 4002.',
  }),
  playerTokenLifetimeMs: integer({
    default: 30 * DAY_MS,
    min: 60_000,
    max: 3_650 * DAY_MS,
    help: 'How long the token of a player is good for.',
  }),
  heartbeatMs: integer({
    default: 20_000,
    min: 100,
    max: 3_600_000,
    help: 'Period of the heartbeat; a player silent for two periods is closed with 4002.',
  }),
  maxFrameBytes: integer({
    default: 65_536,
    min: 1_024,
    max: 16 * MEBIBYTE,
    help: 'Longest frame that a player may send; a longer one closes the connection with 1009.',
  }),
  maxOutboxBytes: integer({
    default: MEBIBYTE,
    min: 2_048,
    max: 1_024 * MEBIBYTE,
    help: 'Bytes that may wait for one player to read; more closes the connection with 4001.',
  }),
  messagesPerSecond: integer({
    default: 50,
    min: 1,
    max: 1_000_000,
    help: 'Messages of one connection; more closes it with 4005.',
  }),
  messagesBurst: integer({ default: 100, min: 1, max: 1_000_000, help: 'Messages of one connection at once.' }),
  maxRequestsInFlight: integer({
    default: 64,
    min: 1,
    max: 10_000,
    help: 'Requests of one connection that wait for their answers; one more is answered with an error.',
  }),
  disconnectDeadlineMs: integer({
    default: 5_000,
    min: 100,
    max: 60_000,
    help: 'When DisconnectPlayer answers at the latest; connections not proven closed by then are failures.',
  }),
  closeFlushMs: integer({
    default: 250,
    min: 10,
    max: 30_000,
    help: 'Time a close frame has to leave this node; then the socket is destroyed and the reason lost.',
  }),
  closeGraceMs: integer({
    default: 2_000,
    min: 10,
    max: 60_000,
    help: 'Time a closed player has to close its own side; then the socket is destroyed.',
  }),
};

const SETTINGS = { ...listeners, ...identity, ...management, ...players };

export type SettingKey = keyof typeof SETTINGS;

type ValueOf<Row> = Row extends Setting<infer Value> ? Value : never;
type Values = { readonly [Key in SettingKey]: ValueOf<(typeof SETTINGS)[Key]> };

/** Where a value came from. */
export type SettingSource = 'default' | 'the environment' | 'a file' | 'the command line';

/** Settings given on the command line, as they were typed. */
export type SettingFlags = Readonly<Partial<Record<SettingKey, string>>>;

/** Every setting with its value, and where each came from. Frozen. */
export type Settings = Values & { readonly sources: Readonly<Record<SettingKey, SettingSource>> };

/** A setting under the names that people use for it. */
export interface NamedSetting extends Setting<unknown> {
  readonly key: SettingKey;
  /** The variable; a secret may also be in the file that the variable with `_FILE` at its end names. */
  readonly env: string;
  /** The flag, such as `--max-games`; secrets have none. */
  readonly flag: string | undefined;
}

/** The table, in the order of the documentation. */
export const SETTING_GROUPS: readonly { readonly title: string; readonly settings: readonly NamedSetting[] }[] = [
  { title: 'Listeners', settings: named(listeners) },
  { title: 'The server', settings: named(identity) },
  { title: 'Management API', settings: named(management) },
  { title: 'Players', settings: named(players) },
];

/** What is wrong with the settings: one line a fault, none with the value of a secret. */
export class SettingsError extends StartupError {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/**
 * Reads every setting once: flags win over the environment, which wins over the defaults. An empty variable counts as not
 * set. Throws a SettingsError with every fault, unknown `RESPARK_…` variables included.
 */
export function loadSettings({ env = process.env, flags = {} }: { env?: Environment; flags?: SettingFlags }): Settings {
  const faults = findUnknownVariables(env);
  const values: Partial<Record<SettingKey, unknown>> = {};
  const sources: Partial<Record<SettingKey, SettingSource>> = {};
  for (const setting of SETTING_GROUPS.flatMap((group) => group.settings)) {
    const given = findGiven(setting, { env, flags }, faults);
    const value = given === undefined ? setting.default : setting.parse(given.text);
    if (given !== undefined && value === undefined) faults.push(describeFault(setting, given));
    values[setting.key] = value;
    sources[setting.key] = given?.source ?? 'default';
  }
  // Faults between settings are only worth reading once each of them is right.
  if (faults.length === 0) faults.push(...findFaultsBetween(values as Values));
  if (faults.length > 0) throw new SettingsError(faults);
  return Object.freeze({ ...(values as Values), sources: Object.freeze(sources as Settings['sources']) });
}

/** Every setting as it may be printed: of a secret, only whether it is set. */
export function settingsForDisplay(
  settings: Settings,
): { key: SettingKey; env: string; value: unknown; source: SettingSource }[] {
  return SETTING_GROUPS.flatMap((group) =>
    group.settings.map(({ key, env, isSecret }) => {
      const value = isSecret ? (settings[key] === undefined ? 'not set' : 'set') : (settings[key] ?? null);
      return { key, env, value, source: settings.sources[key] };
    }),
  );
}

interface Given {
  readonly name: string;
  readonly text: string;
  readonly source: SettingSource;
}

/** What the winning source says about a setting, or undefined when none does; adds to `faults` when they contradict. */
function findGiven(
  { key, env: variable, flag, isSecret }: NamedSetting,
  { env, flags }: { env: Environment; flags: SettingFlags },
  faults: string[],
): Given | undefined {
  const flagText = flags[key];
  if (flag !== undefined && flagText !== undefined) return { name: flag, text: flagText, source: 'the command line' };
  const text = env[variable];
  const path = isSecret ? env[`${variable}_FILE`] : undefined;
  if (path && text) faults.push(`${variable} and ${variable}_FILE are both set; set only one of them`);
  else if (path) return readSecretFile(`${variable}_FILE`, path, faults);
  return text ? { name: variable, text, source: 'the environment' } : undefined;
}

function readSecretFile(name: string, path: string, faults: string[]): Given | undefined {
  try {
    // Most tools that write such a file end it with a newline.
    return { name, text: readFileSync(path, 'utf8').replace(/\r?\n$/, ''), source: 'a file' };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    faults.push(`${name} must name a file that can be read, got ${quote(path)} (${code})`);
    return undefined;
  }
}

function describeFault(setting: NamedSetting, { name, text, source }: Given): string {
  const got = setting.isSecret ? 'got something else (not shown)' : `got ${quote(text)}`;
  const fault = `${name} must be ${setting.rule}, ${got} (from ${source})`;
  if (!setting.env.endsWith('_PORT') || !/^\w+:\/\//.test(text)) return fault;
  const service = setting.env.slice(0, -'_PORT'.length).toLowerCase().replaceAll('_', '-');
  return `${fault}: Kubernetes sets it for a Service named "${service}"; rename the Service, set enableServiceLinks: false in the pod, or give ${setting.flag}`;
}

/** Whether Kubernetes puts this into the environment of a pod for a Service whose name begins with "respark". */
function isKubernetesVariable(name: string, value: string | undefined): boolean {
  if (/^RESPARK_(?:\w+_)?PORT$/.test(name) && /^\w+:\/\//.test(value ?? '')) return true;
  return /^RESPARK_(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/.test(name);
}

function findUnknownVariables(env: Environment): string[] {
  const known = SETTING_GROUPS.flatMap(({ settings }) =>
    settings.flatMap((setting) => (setting.isSecret ? [setting.env, `${setting.env}_FILE`] : [setting.env])),
  );
  return Object.entries(env)
    .filter(([name]) => name.startsWith('RESPARK_') && !known.includes(name))
    .filter(([name, value]) => !isKubernetesVariable(name, value))
    .map(([name]) => {
      const nearest = findNearest(name, known);
      const advice = nearest === undefined ? 'unset it; "respark config print" lists every setting' : `use ${nearest}`;
      return `${name} is not a setting (from the environment); ${advice}`;
    });
}

function findFaultsBetween(values: Values): string[] {
  const name = (key: SettingKey) => `${toEnv(key)} (${values[key]})`;
  const faults: string[] = [];
  const pair = (one: SettingKey, other: SettingKey) => {
    if ((values[one] === undefined) === (values[other] === undefined)) return;
    const [set, missing] = values[one] === undefined ? [other, one] : [one, other];
    faults.push(`${toEnv(set)} is set without ${toEnv(missing)}; set both or neither`);
  };
  const needsPlayerPort = (key: SettingKey) => {
    if (!values[key] || values.playerPort !== undefined) return;
    faults.push(
      `${toEnv(key)} is set without ${toEnv('playerPort')}; set that too, or players share the main listener`,
    );
  };
  type NumberKey = { [Key in SettingKey]: Values[Key] extends number ? Key : never }[SettingKey];
  const atMost = (small: NumberKey, large: NumberKey, factor = 1) => {
    if (values[small] * factor <= values[large]) return;
    faults.push(`${name(small)} must be at most ${factor === 1 ? '' : `1/${factor} of `}${name(large)}; change either`);
  };
  pair('rootAccessKeyId', 'rootSecretAccessKey');
  pair('tlsCertFile', 'tlsKeyFile');
  pair('playerTlsCertFile', 'playerTlsKeyFile');
  needsPlayerPort('playerHost');
  needsPlayerPort('playerTlsCertFile');
  if (values.playerPort !== undefined && values.playerPort !== 0 && values.playerPort === values.port) {
    if (values.playerHost === '' || values.playerHost === values.host) {
      faults.push(`${name('playerPort')} must differ from ${name('port')}; leave it out to serve both on one port`);
    }
  }
  atMost('headersTimeoutMs', 'requestTimeoutMs');
  atMost('maxHttpSocketsPerAddress', 'maxHttpSockets');
  atMost('maxConnectionsPerAddress', 'maxConnections');
  atMost('maxConnectionsPerPlayer', 'maxConnections');
  atMost('maxUnauthenticatedPerAddress', 'maxUnauthenticated');
  atMost('handshakesPerSecondPerAddress', 'handshakesPerSecond');
  atMost('maxFrameBytes', 'maxOutboxBytes', 2);
  // The close of the last connection still has to be reported before the deadline.
  atMost('closeFlushMs', 'disconnectDeadlineMs', 2);
  return faults;
}

/** What a browser can send as `Origin`: for the web's own schemes exactly as it spells them, or it would never match. */
function isOrigin(item: string): boolean {
  if (item === '*' || item === 'null') return true;
  if (item.includes('*')) return false;
  if (/^https?:/i.test(item)) return URL.canParse(item) && new URL(item).origin === item;
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(item);
}

function named(rows: Partial<typeof SETTINGS>): readonly NamedSetting[] {
  return (Object.entries(rows) as [SettingKey, Setting<unknown>][]).map(([key, row]) => ({
    ...row,
    key,
    env: toEnv(key),
    flag: row.isSecret ? undefined : `--${toKebabCase(key)}`,
  }));
}

function toKebabCase(key: SettingKey): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function toEnv(key: SettingKey): string {
  return `RESPARK_${toKebabCase(key).replaceAll('-', '_').toUpperCase()}`;
}

/** A given text as a message shows it: on one line, harmless to a terminal, and not too long. */
function quote(given: string): string {
  return JSON.stringify(given.length > 100 ? `${given.slice(0, 100)}…` : given).replace(/[\u007f-\u009f]/g, '?');
}

/** The candidate that takes the fewest edits, if it is near enough to be what was meant. */
function findNearest(wrong: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: countEdits(wrong, candidate) }))
    .sort((one, other) => one.edits - other.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= 3 ? best.candidate : undefined;
}

/** Insertions, deletions and substitutions between two strings (Levenshtein). */
function countEdits(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...to].entries()) {
      const substituted = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(substituted, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
