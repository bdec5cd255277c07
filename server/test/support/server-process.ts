import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';

// Relative to dist/test/support, where the built file is.
/** The command as an operator types it. */
export const BIN = fileURLToPath(new URL('../../../bin/respark.js', import.meta.url));

export interface ServerProcess {
  readonly url: string;
  readonly playerUrl: string;
  readonly gameKey: string;
  readonly credentials: AccessKeyPair;
  /** The lines of warnings and errors that the server has logged. */
  readonly alarms: readonly string[];
  /** Its data directory, for commands of an operator on its machine. */
  readonly dataDir: string;
  /** Metric → the sum of its values over all labels. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Bytes of heap in use after a full garbage collection, which the inspector is asked for. */
  heapUsed(): Promise<number>;
  /** Ends the server as an operator does, with SIGTERM. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts the real command with these arguments, in a process of its own, on a free port and a new data directory that is
 * removed at the end.
 */
export async function startServerProcess(args: readonly string[]): Promise<ServerProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'respark-'));
  const child = spawn(
    process.execPath,
    [
      '--inspect=127.0.0.1:0',
      BIN,
      'serve',
      '--demo',
      '--port',
      '0',
      '--drain-delay-ms',
      '0',
      '--data-dir',
      dataDir,
      ...args,
    ],
    {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
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
    dataDir,
    alarms,
    async metrics() {
      // Where the server trusts a proxy on this machine, the request must say that its client is here too.
      const headers = args.includes('--trusted-proxies') ? { 'X-Forwarded-For': '127.0.0.1' } : {};
      const text = await (await fetch(`${url}/metrics`, { headers })).text();
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
