import type { LogLevel } from '../../log.ts';
import { pair } from '../checks.ts';
import { choice, integer, MEBIBYTE, PATH, secret, text } from '../setting.ts';

const rows = {
  dataDir: text({
    default: './respark-data',
    ...PATH,
    help: 'Directory that holds everything that survives a restart. Only one server at a time may use it.',
  }),
  region: text({
    default: 'us-east-1',
    rule: 'lower-case letters, digits and hyphens',
    pattern: /^[a-z0-9-]{1,64}$/,
    help: 'Region in the ARNs of games and stages. Calls signed for any region are accepted, unless RESPARK_SIGNED_REGIONS is set.',
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
    help: 'Access key id of the root key. While it and the root secret are set, the stored root key is refused.',
  }),
  rootSecretAccessKey: secret({
    // One signature that somebody has seen is enough to search for a short secret without asking the server.
    rule: '32-128 printable ASCII characters without spaces, such as "openssl rand -hex 20" prints',
    pattern: /^[!-~]{32,128}$/,
    help: 'Secret of the root key.',
  }),
  secretKey: secret({
    rule: '32 random bytes in base64, as "openssl rand -base64 32" prints them',
    pattern: /^[A-Za-z0-9+/_-]{43}=?$/,
    help: 'Key that stored secrets are encrypted with; if not set, the server makes one in the data directory.',
  }),
  reserveBytes: integer({
    default: 8 * MEBIBYTE,
    min: 0,
    max: 16_384 * MEBIBYTE,
    help: 'Room of the disk that a file in the data directory holds back, at most a twentieth of the disk. When the disk is full the file is removed, and its room lets players be disconnected and games and stages be deleted, on record, while other changes are refused. It is made again when there is room for two such files.',
  }),
  lowSpaceBytes: integer({
    default: 512 * MEBIBYTE,
    min: 0,
    max: 1_048_576 * MEBIBYTE,
    help: 'When the disk of the data directory has less free room than this, the log warns of it.',
  }),
  nextSecretKey: secret({
    rule: '32 random bytes in base64, as "openssl rand -base64 32" prints them',
    pattern: /^[A-Za-z0-9+/_-]{43}=?$/,
    help: 'Key that "respark keys rotate-secret" replaces the secret key with. Needed only where RESPARK_SECRET_KEY is set; set that to this key afterwards.',
  }),
  logLevel: choice({
    default: 'info' satisfies LogLevel,
    choices: ['debug', 'info', 'warn', 'error'] satisfies LogLevel[],
    help: 'Least severe level that is logged.',
  }),
  examinerThreads: integer({
    default: 2,
    min: 1,
    max: 64,
    help: 'Maximum number of processes of their own in which snapshots for deployments and generated code are examined at once; more examinations wait for one.',
  }),
  examinerMemoryBytes: integer({
    default: 512 * MEBIBYTE,
    // What a script of a megabyte takes at worst, and a half more: where memory ends within one of its own steps, V8 ends the process.
    min: 256 * MEBIBYTE,
    max: 16_384 * MEBIBYTE,
    help: 'Memory for the objects of one examining process, which a snapshot of a megabyte needs at worst. A node needs as much for each of these processes, while they examine, beside what its players need.',
  }),
  drainDelayMs: integer({
    default: 5_000,
    min: 0,
    max: 3_600_000,
    help: 'How long a stopping server goes on listening, and serves connected players, while /readyz says that it is draining and new players and calls get 503, so that load balancers find out first. 0 is for a server without a load balancer. Ctrl-C in a terminal does not wait for it.',
  }),
  drainTimeoutMs: integer({
    default: 10_000,
    min: 0,
    max: 3_600_000,
    help: "Longest time a stopping server waits for calls in flight, for players' connections to close and for handlers to end, once RESPARK_DRAIN_DELAY_MS is over. Releasing what it holds then takes at most 5000 ms more.",
  }),
};

export const server = {
  title: 'The server',
  rows,
  checks: [pair('rootAccessKeyId', 'rootSecretAccessKey')],
};
