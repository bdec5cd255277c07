import * as main from '../../src/main.ts';
import type { Ended } from './process.ts';
import { createTestWorld } from './world.ts';

/** Does what `respark serve` does in the directory, but in this process; as soon as it serves, it gets a SIGTERM. */
export async function serveHere(
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const world = createTestWorld({ env: { RESPARK_DRAIN_DELAY_MS: '0', ...env }, main });
  void world.printed('Respark is serving').then(() => world.signal('SIGTERM'));
  const before = process.cwd();
  process.chdir(directory);
  try {
    const exitCode = await world.run('serve', ...args);
    return { exitCode, signal: null, stdout: world.out(), stderr: world.err() };
  } finally {
    process.chdir(before);
  }
}
