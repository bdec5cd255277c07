import { processEnvironment } from '../config/config.ts';
import { readLocalFile } from '../data-directory/local-files.ts';
import type { World } from './world.ts';

/** The world of a real process. */
export function createProcessWorld(process: NodeJS.Process, version: string): World {
  // Whoever reads our output may stop, as in `respark config print | head -1`. Then a command has nothing left to do; a
  // server, which alone handles its own crashes, serves its players as before.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (process.listenerCount('uncaughtException') === 0) process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  // Nobody is left to tell.
  process.stderr.on('error', () => {});
  return {
    version,
    env: processEnvironment(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    onSignal(handler) {
      process.on('SIGINT', handler).on('SIGTERM', handler);
      return () => void process.off('SIGINT', handler).off('SIGTERM', handler);
    },
    onCrash(handler) {
      // Rejections that nobody handles arrive here too.
      process.on('uncaughtException', handler);
      return () => void process.off('uncaughtException', handler);
    },
    exit: (code) => process.exit(code),
    localFiles: readLocalFile,
    loadMain: async () => await import('../main.ts'),
  };
}
