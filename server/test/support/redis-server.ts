import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from './free-port.ts';

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
  readonly port: number;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.#flags = flags;
    this.url = `redis://127.0.0.1:${port}`;
    this.directory = mkdtempSync(join(tmpdir(), 'redis-'));
  }

  static async start(t: Pick<TestContext, 'after'>, flags: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), flags);
    t.after(() => server.#discard());
    await server.start();
    return server;
  }

  /** A Sentinel that decides alone, half a second after the primary has gone. */
  static async startSentinel(
    t: Pick<TestContext, 'after'>,
    { name, primary }: { name: string; primary: RedisServer },
  ): Promise<RedisServer> {
    const sentinel = new RedisServer(await freePort(), []);
    t.after(() => sentinel.#discard());
    const file = join(sentinel.directory, 'sentinel.conf');
    const lines = [
      `sentinel monitor ${name} 127.0.0.1 ${primary.port} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
    ];
    writeFileSync(file, lines.join('\n'));
    await sentinel.#run([file, '--sentinel', '--port', String(sentinel.port)], '+monitor');
    return sentinel;
  }

  /** Starts with the snapshot that is in its directory, if there is one. */
  async start(): Promise<void> {
    const flags = [
      ...['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      ...['--dir', this.directory, '--maxmemory-policy', 'noeviction', ...this.#flags],
    ];
    await this.#run(flags, 'Ready to accept connections');
  }

  /** Resolves when the program has printed that it is ready. */
  async #run(flags: readonly string[], ready: string): Promise<void> {
    const child = spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes(ready)) resolve();
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

  /** Throws when it does not run. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the redis-server of the test does not run');
    return pid;
  }

  async #discard(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
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
    const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.port), ...words], { encoding: 'utf8' });
    return `${stdout}${stderr}`.trim();
  }
}
