// Measures what those who read lists cost those who disconnect players: `node bench/dist/src/lists-beside.js`, after
// `npx tsc --build`. A server on one core has very many connections; the generators, and somebody who pages through
// ListConnections, ListPlayers or CountConnections without a pause, are on another. It prints rows of JSON: what
// DisconnectPlayer takes beside each of them and beside nobody, and their ratio, which is to be at most 1.1: once with the
// limits as shipped, which hold the reader up, and once without.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type GeneratorProcess, startGenerator } from './load/generator-process.ts';
import { LISTS, type ListName, startPaging } from './load/paging.ts';
import { machineFacts, measuredCommit, pinToGeneratorsCore } from './machine.ts';
import { OWN_NODE } from './node-binary.ts';
import { startResparkServer, useDemo } from './respark.ts';
import { fromServer } from './respark-build.ts';
import { post, temporaryDirectory } from './running-contestant.ts';
import { median, quantile } from './statistics.ts';

const { values: options } = parseArgs({
  options: {
    connections: { type: 'string', default: '15000' },
    // A process may have only so many open files, so more connections need more of these.
    generators: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    calls: { type: 'string', default: '400' },
    'calls-per-second': { type: 'string', default: '50' },
    limits: { type: 'string', default: 'shipped,none' },
  },
});
const [CONNECTIONS, GENERATORS] = [Number(options.connections), Number(options.generators)];
const [ROUNDS, CALLS] = [Number(options.rounds), Number(options.calls)];
const PACING = { perSecond: Number(options['calls-per-second']), isSparing: true } as const;
const CONNECT_AT_ONCE = 32;
const MOST_RATIO = 1.1;
const STAGE = '/respark/game/Demo/stage/Dev';
const NOBODY = 'nobody';

const NO_LIMIT = '100000';
const LIMITS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  shipped: {},
  none: {
    ...{ readCallsPerSecond: NO_LIMIT, readCallsBurst: NO_LIMIT },
    ...{ replyBytesPerSecond: '1000000000', replyBytesBurst: '1000000000' },
  },
};

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const { signRequest } =
  await fromServer<typeof import('../../server/src/api/signature/sigv4.ts')>('api/signature/sigv4');

type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };

function signedGet(key: Key, port: number, path: string): string {
  const url = new URL(path, `http://127.0.0.1:${port}`);
  const headers = signRequest({ method: 'GET', url, ...key, region: 'us-east-1', nowMs: Date.now() });
  return post({ path, port, headers }).replace(/^POST/, 'GET');
}

/** Prints what DisconnectPlayer takes in each round, beside each reader and beside nobody, and then the ratios. */
async function measure(limits: string): Promise<void> {
  const settings = LIMITS[limits];
  if (settings === undefined) throw new Error(`--limits must be some of ${Object.keys(LIMITS)}, got "${limits}"`);
  const directory = temporaryDirectory();
  const server = await startResparkServer(OWN_NODE, { directory, settings });
  const { port } = server;
  const started: GeneratorProcess[] = [];
  let unpin = () => {};
  const start = () => {
    const generator = startGenerator({ port, dialect: 'respark', network: started.length + 1 });
    started.push(generator);
    return generator;
  };
  try {
    const key = JSON.parse(readFileSync(join(directory.path, 'root-credentials'), 'utf8')) as Key;
    const demo = await useDemo(OWN_NODE, directory.path);
    const names = (prefix: string, count: number) => Array.from({ length: count }, (_, number) => `${prefix}${number}`);
    for (let number = 0; number < GENERATORS; number += 1) {
      const seeds = await demo.seeds(names(`stay-${number}-`, Math.floor(CONNECTIONS / GENERATORS)));
      await start().connect({ seeds, perPlayer: 1, atOnce: CONNECT_AT_ONCE });
    }
    const caller = start();
    const playerIds = names('kick-', CALLS);
    const seeds = await demo.seeds(playerIds);
    const connect = () => caller.connect({ seeds, perPlayer: 1, atOnce: CONNECT_AT_ONCE });
    const disconnect = async (count: number) => {
      const some = playerIds.slice(0, count);
      const calls = some.map((playerId) => ({ playerId, request: demo.disconnectRequest(playerId, port) }));
      return await caller.disconnect({ calls, pacing: PACING });
    };
    await connect();
    await disconnect(Math.ceil(CALLS / 4));
    unpin = pinToGeneratorsCore();
    const p50s = new Map<string, number[]>();
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const load of [NOBODY, ...(Object.keys(LISTS) as ListName[])]) {
        await connect();
        const paging =
          load === NOBODY
            ? undefined
            : startPaging({
                ...{ port, list: load as ListName },
                requestOf: (path) => signedGet(key, port, `${STAGE}/${path}`),
              });
        const { callMs, closedMs, latenessMs } = await disconnect(CALLS);
        const read = await paging?.stop();
        const callP50Ms = quantile(callMs, 0.5);
        p50s.set(load, [...(p50s.get(load) ?? []), callP50Ms]);
        const [callP99Ms, closedP50Ms] = [quantile(callMs, 0.99), quantile(closedMs, 0.5)];
        // The reader has a part of the core of those who call: how late that makes them is no time of the server's.
        print({ limits, round, load, callP50Ms, callP99Ms, closedP50Ms, latenessMs, ...read });
      }
    }
    const base = median(p50s.get(NOBODY) ?? []);
    for (const [load, each] of p50s) {
      if (load === NOBODY) continue;
      const p50Ratio = median(each) / base;
      print({ limits, load, p50Ms: median(each), withNobodyP50Ms: base, p50Ratio, isWithin: p50Ratio <= MOST_RATIO });
    }
  } finally {
    unpin();
    await Promise.all(started.map((generator) => generator.stop()));
    await server.stop();
  }
}

print({ commit: measuredCommit(), ...machineFacts(), connections: CONNECTIONS, generators: GENERATORS });
for (const limits of options.limits.split(',')) await measure(limits);
