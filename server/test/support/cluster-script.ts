import { chmodSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GameSparksClient } from '@aws-sdk/client-gamesparks';
import { openSdk } from './aws-sdk.ts';
import { whyNoCluster } from './cluster.ts';
import { createWorkplace, type Ended, type Running } from './process.ts';
import { findProxy } from './proxy-programs.ts';

/** Seen from server/dist/test/support. */
export const CLUSTER_SCRIPT = fileURLToPath(new URL('../../../../scripts/cluster.js', import.meta.url));

/** Why the script cannot run here; false when it can. */
export const whyNoClusterScript: string | false =
  whyNoCluster || (findProxy('haproxy') === undefined && 'there is no haproxy here (Debian: apt-get install haproxy)');

export interface ScriptedNode {
  readonly name: string;
  readonly url: string;
  readonly dataDir: string;
}

export interface ListedNode {
  readonly Id: string;
  readonly State: string;
  readonly Url?: string;
  readonly Connections?: number;
}

/** A cluster as `npm run cluster` starts it. */
export interface ScriptedCluster {
  readonly running: Running;
  /** The load balancer. */
  readonly url: string;
  readonly nodes: readonly ScriptedNode[];
  readonly gameKey: string;
  /** The directory of the script. */
  readonly directory: string;
  /** The unmodified AWS client, which makes one attempt, by default through the load balancer. */
  sdk(endpoint?: string): GameSparksClient;
  respark(node: ScriptedNode, ...args: readonly string[]): Promise<Ended>;
  list(node: ScriptedNode): Promise<readonly ListedNode[]>;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<Ended>;
}

export async function startClusterScript(t: TestContext): Promise<ScriptedCluster> {
  let running: Running | undefined;
  // Its hook is added first, so that it runs before the script, which alone knows its processes, is killed.
  t.after(async () => {
    running?.child.kill('SIGINT');
    await running?.ended();
  });
  const place = createWorkplace(t);
  // PostgreSQL runs as another user than root.
  chmodSync(place.directory, 0o711);
  const env = {
    TMPDIR: place.directory,
    RESPARK_READ_CALLS_PER_SECOND: '1000',
    RESPARK_DISCONNECT_CALLS_PER_SECOND: '1000',
  };
  running = place.start([process.execPath, CLUSTER_SCRIPT], { env });
  await running.printed(/^Ctrl-C stops everything and removes it\.$/m);
  const [name = ''] = readdirSync(place.directory).filter((entry) => entry.startsWith('respark-cluster-'));
  const directory = join(place.directory, name);
  const readJson = (...path: string[]) => JSON.parse(readFileSync(join(directory, ...path), 'utf8'));
  const { url, nodes } = readJson('cluster.json') as { url: string; nodes: readonly ScriptedNode[] };
  const credentials = readJson('node-1', 'root-credentials');
  const { gameKey } = readJson('node-1', 'demo.json') as { gameKey: string };
  const respark = (node: ScriptedNode, ...args: readonly string[]) =>
    place.respark([...args, '--data-dir', node.dataDir]);
  return {
    ...{ running, url, nodes, gameKey, directory, respark },
    sdk: (endpoint = url) => openSdk({ endpoint, credentials, maxAttempts: 1 }),
    async list(node) {
      const { stdout, stderr } = await respark(node, 'nodes', '--json');
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout).Nodes;
    },
    async stop() {
      running.child.kill('SIGINT');
      return await running.ended();
    },
  };
}

/** The ids of the processes that work in the directory, or below it. */
export function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && workplaceOf(pid).startsWith(directory));
}

function workplaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
