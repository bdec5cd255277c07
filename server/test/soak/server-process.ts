import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';

// Relative to dist/test/soak, where the built file is.
const BIN = fileURLToPath(new URL('../../../bin/respark.js', import.meta.url));

const ARGUMENTS = [
  ...['serve', '--demo', '--port', '0'],
  // The server believes the address that each client claims, as if behind a proxy.
  ...['--trusted-proxies', '127.0.0.1'],
  // A busy machine needs more time to welcome a player.
  ...['--heartbeat-ms', '5000', '--auth-timeout-ms', '10000'],
  // A slow reader must be able to fill its outbox before it counts as a flooder.
  ...['--messages-per-second', '1000', '--messages-burst', '12000'],
  ...['--max-requests-in-flight', '10000', '--max-outbox-bytes', '262144'],
  // The operators call again as soon as they are answered.
  // The players who come in a row are more than the default of 1,000 a second.
  ...['--handshakes-per-second', '100000'],
  ...['--disconnect-calls-per-second', '100000', '--read-calls-per-second', '100000'],
];

export interface ServerProcess {
  readonly url: string;
  readonly playerUrl: string;
  readonly gameKey: string;
  readonly credentials: AccessKeyPair;
  /** The lines of warnings and errors that the server has logged. */
  readonly alarms: readonly string[];
  /** Metric → the sum of its values over all labels. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Bytes of heap in use after a full garbage collection, which the inspector is asked for. */
  heapUsed(): Promise<number>;
  /** Ends the server as an operator does, with SIGTERM. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the real command in a process of its own, on a new data directory that is removed at the end. */
export async function startServerProcess(): Promise<ServerProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'respark-soak-'));
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', BIN, ...ARGUMENTS, '--data-dir', dataDir], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  process.once('exit', () => {
    child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  });
  const alarms: string[] = [];
  const inspectorUrl = watchLog(child, alarms);
  await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`the server did not start: ${alarms.join('\n')}`))),
  ]);
  const find = (name: string) => JSON.parse(readFileSync(join(dataDir, name), 'utf8'));
  const { url, playerUrl } = find('running.json');
  return {
    url,
    playerUrl,
    gameKey: find('demo.json').gameKey,
    credentials: find('root-credentials'),
    alarms,
    async metrics() {
      const text = await (await fetch(`${url}/metrics`)).text();
      const sums = new Map<string, number>();
      for (const [, name = '', value] of text.matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm)) {
        sums.set(name, (sums.get(name) ?? 0) + Number(value));
      }
      return sums;
    },
    heapUsed: async () => await collectGarbage(await inspectorUrl),
    async stop() {
      child.kill('SIGTERM');
      const [exitCode] = await once(child, 'exit');
      return exitCode;
    },
  };
}

/** Collects the alarms that the server and Node.js write to stderr. Resolves with the inspector's address. */
function watchLog(child: ChildProcess, alarms: string[]): Promise<string> {
  return new Promise((resolve) => {
    if (child.stderr === null) throw new Error('stderr is a pipe');
    createInterface({ input: child.stderr }).on('line', (line) => {
      const inspector = /^Debugger listening on (\S+)/.exec(line)?.[1];
      if (inspector !== undefined) resolve(inspector);
      else if (/^\{"level":(?:[4-9]\d|\d{3})/.test(line) || /^(?:\(node|Error|\s+at )/.test(line)) alarms.push(line);
    });
  });
}

async function collectGarbage(inspectorUrl: string): Promise<number> {
  const ws = new WebSocket(inspectorUrl);
  await once(ws, 'open');
  let id = 0;
  const ask = async (method: string): Promise<{ usedSize: number }> => {
    id += 1;
    ws.send(JSON.stringify({ id, method }));
    const [answer] = await once(ws, 'message');
    return JSON.parse(String(answer)).result;
  };
  // What one round finalizes, a later one frees.
  for (let round = 0; round < 3; round += 1) await ask('HeapProfiler.collectGarbage');
  const { usedSize } = await ask('Runtime.getHeapUsage');
  ws.close();
  await once(ws, 'close');
  return usedSize;
}
