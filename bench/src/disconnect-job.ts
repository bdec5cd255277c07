// Measures what a job that disconnects very many players costs everybody else: `node bench/dist/src/disconnect-job.js`,
// after `npx tsc --build`. A server on one core has players whom a job ends at a rate and players whom it does not mean; the
// generators are on another. It prints JSON: what DisconnectPlayer takes without and with the job, and what came of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startGenerator } from './load/generator-process.ts';
import { HttpConnection } from './load/http.ts';
import { machineFacts, measuredCommit } from './machine.ts';
import { OWN_NODE } from './node-binary.ts';
import { startResparkServer, useDemo } from './respark.ts';
import { fromServer } from './respark-build.ts';
import { post, temporaryDirectory } from './running-contestant.ts';
import { quantile } from './statistics.ts';

const { values: options } = parseArgs({
  options: {
    connections: { type: 'string', default: '20000' },
    rate: { type: 'string', default: '2000' },
    calls: { type: 'string', default: '400' },
    'calls-per-second': { type: 'string', default: '50' },
  },
});
const [CONNECTIONS, RATE, CALLS] = [Number(options.connections), Number(options.rate), Number(options.calls)];
const PACING = { perSecond: Number(options['calls-per-second']), isSparing: true } as const;
const CONNECT_AT_ONCE = 32;
const JOBS = '/respark/game/Demo/stage/Dev/disconnect-job';

interface Job {
  readonly Job: Readonly<Record<string, number | string>> & { readonly State: string; readonly JobId: string };
}

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const { signRequest } =
  await fromServer<typeof import('../../server/src/api/signature/sigv4.ts')>('api/signature/sigv4');

async function main(): Promise<void> {
  print({ commit: measuredCommit(), ...machineFacts(), connections: CONNECTIONS, rate: RATE });
  const directory = temporaryDirectory();
  const server = await startResparkServer(OWN_NODE, { directory, settings: { jobConfirmAbove: '1000000' } });
  const { port } = server;
  const key = JSON.parse(readFileSync(join(directory.path, 'root-credentials'), 'utf8'));
  const demo = await useDemo(OWN_NODE, directory.path);
  const meant = startGenerator({ port, dialect: 'respark', network: 1 });
  const others = startGenerator({ port, dialect: 'respark', network: 2 });

  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const url = new URL(path, `http://127.0.0.1:${port}`);
    const signed = signRequest({
      method,
      url,
      ...key,
      region: 'us-east-1',
      nowMs: Date.now(),
      body: Buffer.from(text),
    });
    const head = post({ path, port, headers: { ...signed, 'content-length': String(text.length) } });
    const http = new HttpConnection(port);
    try {
      const { status, body: answer } = await http.request(`${head.replace(/^POST/, method)}${text}`);
      if (status !== 200) throw new Error(`${method} ${path} was answered with ${status} ${answer}`);
      return JSON.parse(answer) as T;
    } finally {
      http.close();
    }
  }

  try {
    const names = (prefix: string, count: number) => Array.from({ length: count }, (_, number) => `${prefix}${number}`);
    const stay = names('stay-', 2 * CALLS);
    await meant.connect({ seeds: await demo.seeds(names('job-', CONNECTIONS)), perPlayer: 1, atOnce: CONNECT_AT_ONCE });
    await others.connect({ seeds: await demo.seeds(stay), perPlayer: 1, atOnce: CONNECT_AT_ONCE });
    const disconnect = async (playerIds: readonly string[]) => {
      const calls = playerIds.map((playerId) => ({ playerId, request: demo.disconnectRequest(playerId, port) }));
      const { callMs, closedMs } = await others.disconnect({ calls, pacing: PACING });
      const [p50, p99, closedP50] = [quantile(callMs, 0.5), quantile(callMs, 0.99), quantile(closedMs, 0.5)];
      return { callP50Ms: p50, callP99Ms: p99, closedP50Ms: closedP50 };
    };
    await disconnect(stay.slice(0, CALLS / 2));
    const without = await disconnect(stay.slice(CALLS / 2, CALLS));
    print({ load: 'without a job', ...without });

    const startedAt = performance.now();
    const asked = { Selector: { PlayerIdPrefix: 'job-' }, RatePerSecond: RATE, ReturnWithinSeconds: 600 };
    const { Job: begun } = await call<Job>('POST', JOBS, asked);
    const beside = await disconnect(stay.slice(CALLS, CALLS + CALLS / 2));
    const { Job: atEnd } = await call<Job>('GET', `${JOBS}/${begun.JobId}`);
    print({ load: 'with the job', ...beside, p50Ratio: beside.callP50Ms / without.callP50Ms, jobAtEnd: atEnd.State });
    for (;;) {
      const { Job: job } = await call<Job>('GET', `${JOBS}/${begun.JobId}`);
      if (job.State !== 'PENDING' && job.State !== 'IN_PROGRESS') {
        const seconds = (performance.now() - startedAt) / 1_000;
        print({ state: job.State, closed: job.Closed, gone: job.GoneAlready, unproven: job.Unproven, seconds });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { Connections: left } = await call<{ Connections: number }>(
      ...(['GET', '/respark/game/Demo/stage/Dev/connection-count'] as const),
    );
    print({ othersConnected: left, othersExpected: stay.length - CALLS - CALLS / 2 });
  } finally {
    await Promise.all([meant.stop(), others.stop()]);
    await server.stop();
  }
}

await main();
