import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Why tests that need a real Redis are skipped; undefined where there is one. In CI a missing server is a failure. */
export function findRedisFault(): string | undefined {
  const { status } = spawnSync('redis-server', ['--version']);
  if (status === 0) return undefined;
  const fault = 'there is no redis-server: apt-get install redis-server';
  if (process.env.CI === 'true') throw new Error(fault);
  return fault;
}

/** A private redis-server on a free port, which can be stopped, paused and started again as it was or without its data. */
export class RedisServer {
  readonly url: string;
  readonly directory: string;
  readonly #port: number;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, flags: readonly string[]) {
    this.#port = port;
    this.#flags = flags;
    this.url = `redis://127.0.0.1:${port}`;
    this.directory = mkdtempSync(join(tmpdir(), 'redis-'));
  }

  static async start(t: Pick<TestContext, 'after'>, flags: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), flags);
    t.after(async () => {
      await server.kill();
      rmSync(server.directory, { recursive: true, force: true });
    });
    await server.start();
    return server;
  }

  /** Starts with the snapshot that is in its directory, if there is one. */
  async start(): Promise<void> {
    const child = spawn(
      'redis-server',
      [
        ...['--port', String(this.#port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
        ...['--dir', this.directory, '--maxmemory-policy', 'noeviction', ...this.#flags],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server did not start: ${output}`)));
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Removes the snapshot. */
  forget(): void {
    rmSync(join(this.directory, 'dump.rdb'), { force: true });
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Runs a command with redis-cli. */
  command(...words: readonly string[]): string {
    const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.#port), ...words], { encoding: 'utf8' });
    return `${stdout}${stderr}`.trim();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}
