import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Studio } from './cloud-code/studio.ts';
import type { DialectName } from './load/dialects.ts';
import type { PlayerSeed } from './load/players.ts';
import type { NodeBinary } from './node-binary.ts';
import type { ServerProcess } from './server-process.ts';

/** A server that was started for one measurement. */
export interface RunningContestant extends ServerProcess {
  readonly dialect: DialectName;
  /** The names of these players and the first words that each says when it connects. */
  seeds(playerIds: readonly string[]): Promise<PlayerSeed[]>;
  /** A complete HTTP request that disconnects the player; valid for a few minutes. */
  disconnectRequest(playerId: string): string;
  /** Who deploys scripts, where there are any. The other contestants have their handlers in their own code. */
  readonly studio?: Studio;
}

/** What a contestant is started for, other than to be called by operators. */
export interface StartOptions {
  /** Where the handlers find a server that takes a millisecond to answer. The contestant may then use every core. */
  readonly waitUrl?: string;
  /** Settings of Respark that differ from those of the other scenarios. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A server of this folder, which says on its ready line whatever there is to know of it. */
export function ownServer(node: NodeBinary, name: string, { waitUrl }: StartOptions = {}) {
  const forHandlers = waitUrl === undefined ? {} : { core: 'any' as const, args: [waitUrl] };
  return {
    ...forHandlers,
    node,
    script: new URL(`./${name}.js`, import.meta.url).pathname,
    readyLine: /^(?<facts>\{.*\})$/m,
  };
}

/** A request without a body, with the headers that every request needs. */
export function post({
  path,
  port,
  headers = {},
}: {
  path: string;
  port: number;
  headers?: Readonly<Record<string, string>>;
}): string {
  const all = { host: `127.0.0.1:${port}`, 'content-length': '0', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'respark-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
