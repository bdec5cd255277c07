import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';

// Seen from dist/test/soak.
const BIN = fileURLToPath(new URL('../../../bin/respark.js', import.meta.url));

const ARGUMENTS = [
  ...['serve', '--demo', '--port', '0'],
  // Each client gets an address of its own, as behind a proxy.
  ...['--trusted-proxies', '127.0.0.1'],
  // Time enough to be welcomed on a busy machine.
  ...['--heartbeat-ms', '5000', '--auth-timeout-ms', '10000'],
  // So that slow readers fill their outbox before they count as flooders.
  ...['--messages-per-second', '1000', '--messages-burst', '12000'],
  ...['--max-requests-in-flight', '10000', '--max-outbox-bytes', '262144'],
  // Operators call as fast as they are answered.
  ...['--disconnect-calls-per-second', '100000', '--read-calls-per-second', '100000'],
];

export interface ServerProcess {
  readonly url: string;
  readonly playerUrl: string;
  readonly gameKey: string;
  readonly credentials: AccessKeyPair;
  /** Lines of warnings and errors that it has logged. */
  readonly alarms: readonly string[];
  /** The sum over all labels of each metric. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Bytes that are in use after a full garbage collection, asked for through the inspector. */
  heapUsed(): Promise<number>;
  /** Ends it as an operator does; resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** The real command in a process of its own, on a fresh data directory that goes with it. */
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

/** Sorts out what the server and its runtime say on stderr; resolves with the inspector's address. */
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
  // What a first round finalizes, a later one frees.
  for (let round = 0; round < 3; round += 1) await ask('HeapProfiler.collectGarbage');
  const { usedSize } = await ask('Runtime.getHeapUsage');
  ws.close();
  await once(ws, 'close');
  return usedSize;
}
