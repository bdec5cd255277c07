import { execFileSync } from 'node:child_process';

/** A Node.js that contestants run on. */
export interface NodeBinary {
  readonly path: string;
  /** Such as `v24.17.0`. */
  readonly version: string;
}

const ANSWER_TIMEOUT_MS = 10_000;

/** The one that runs the bench, and the load generator always. */
export const OWN_NODE: NodeBinary = { path: process.execPath, version: process.version };

/** Asks each binary what it is, and returns them after our own. Throws for what is no Node.js, or no other one. */
export function findNodes(paths: readonly string[]): NodeBinary[] {
  const nodes = [OWN_NODE];
  for (const path of paths) {
    const found = askNode(path);
    if (nodes.some(({ version }) => version === found.version)) {
      throw new Error(`--also-node must name another version of Node.js, but ${path} is ${found.version} too`);
    }
    nodes.push(found);
  }
  return nodes;
}

export function majorOf({ version }: NodeBinary): number {
  return Number(/^v(\d+)/.exec(version)?.[1]);
}

/** What a path leads to may be a script that starts Node.js, whose CPU would not be that of the server. */
function askNode(path: string): NodeBinary {
  const question = 'JSON.stringify({ path: process.execPath, version: process.version })';
  try {
    const options = { encoding: 'utf8', stdio: 'pipe', timeout: ANSWER_TIMEOUT_MS } as const;
    return JSON.parse(execFileSync(path, ['-p', question], options)) as NodeBinary;
  } catch (cause) {
    throw new Error(`--also-node must name a Node.js binary, which "${path}" is not`, { cause });
  }
}
