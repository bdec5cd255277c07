import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isExecutable } from './chromium.ts';
import { freePort } from './free-port.ts';

const PROGRAM = '/usr/sbin/pgbouncer';

/** Why there can be no pooler; false when there can. In CI a missing one is a failure. */
export function findPgbouncerFault(): string | false {
  if (isExecutable(PROGRAM)) return false;
  const fault = 'PgBouncer is not installed (on Debian: apt-get install pgbouncer)';
  if (process.env.CI === 'true') throw new Error(fault);
  return fault;
}

/** A pooler before the database until the test ends. Gives the URL of the same database through it. */
export async function startPgbouncer(
  t: Pick<TestContext, 'after'>,
  {
    databaseUrl,
    mode,
    ...settings
  }: { databaseUrl: string; mode: 'session' | 'transaction' } & Readonly<Record<string, string>>,
): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'respark-pgbouncer-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const url = new URL(databaseUrl);
  const port = await freePort();
  const file = join(directory, 'pgbouncer.ini');
  const all = { listen_addr: '127.0.0.1', listen_port: String(port), auth_type: 'any', pool_mode: mode, ...settings };
  const lines = [
    ...['[databases]', `* = host=127.0.0.1 port=${url.port} user=${url.username}`, '[pgbouncer]', 'unix_socket_dir ='],
    ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
  ];
  writeFileSync(file, lines.join('\n'));
  chmodSync(directory, 0o755);
  // It refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(PROGRAM, ['-q', ...asUser, file], { stdio: 'ignore' });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  url.port = String(port);
  return url.href;
}

async function isListening(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}
