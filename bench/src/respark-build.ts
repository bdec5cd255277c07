/**
 * A module of the built server, by its path in the build: a benchmark needs modules that the server's package does not
 * export. The type argument names the source: `fromServer<typeof import('…/clock.ts')>('clock')`.
 */
export async function fromServer<Module>(path: string): Promise<Module> {
  return (await import(new URL(`../../../server/dist/src/${path}.js`, import.meta.url).href)) as Module;
}

/** The same for a module of the server's built tests: those start the servers that a cluster needs. */
export async function fromServerTests<Module>(path: string): Promise<Module> {
  return (await import(new URL(`../../../server/dist/test/${path}.js`, import.meta.url).href)) as Module;
}

export const RESPARK_COMMAND = new URL('../../../server/bin/respark.js', import.meta.url).pathname;

const NO_LIMIT = '1000000';
const NO_BYTE_LIMIT = '1000000000';

/**
 * The settings as shipped, except for the limits, which exist to stop a load like this one, and the heartbeat: it would
 * fall into some measured windows and not into others, so no contestant has one. Scripts have time to wait for a core on
 * a machine with other work, unless a scenario is about that limit.
 */
export const RESPARK_SETTINGS = {
  host: '127.0.0.1',
  port: '0',
  logLevel: 'warn',
  maxConnections: NO_LIMIT,
  maxConnectionsPerAddress: NO_LIMIT,
  maxUnauthenticated: NO_LIMIT,
  maxUnauthenticatedPerAddress: NO_LIMIT,
  handshakesPerSecond: NO_LIMIT,
  handshakesPerSecondPerAddress: NO_LIMIT,
  messagesPerSecond: NO_LIMIT,
  messagesBurst: NO_LIMIT,
  bytesPerSecond: NO_BYTE_LIMIT,
  bytesBurst: NO_BYTE_LIMIT,
  messagesPerSecondPerAddress: NO_LIMIT,
  messagesBurstPerAddress: NO_LIMIT,
  bytesPerSecondPerAddress: NO_BYTE_LIMIT,
  bytesBurstPerAddress: NO_BYTE_LIMIT,
  disconnectCallsPerSecond: NO_LIMIT,
  disconnectCallsBurst: NO_LIMIT,
  heartbeatMs: '3600000',
  scriptMaxBusyMs: '4000',
  scriptWatchdogMs: '8000',
} as const;

/** The secret of servers that live for one measurement and listen only on this machine. */
export const RESPARK_KEYS = {
  secretKey: Buffer.alloc(32, 'bench').toString('base64'),
} as const;
