import { processEnvironment } from '../config/config.ts';
import { readLocalFile } from '../data-directory/local-files.ts';
import type { World } from './world.ts';

/** The world of a real process. */
export function createProcessWorld(process: NodeJS.Process, version: string): World {
  // The reader of stdout may stop early, as in `respark config print | head -1`. A command then has nothing left to do,
  // but a server, which is the only command that handles uncaught exceptions, keeps serving its players.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (process.listenerCount('uncaughtException') === 0) process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  // If stderr fails, there is no place left to report it.
  process.stderr.on('error', () => {});
  return {
    version,
    platform: process.platform,
    env: processEnvironment(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    onSignal(handler) {
      const terminate = () => handler('SIGTERM');
      const terminations = process.platform === 'win32' ? ['SIGBREAK', 'SIGHUP'] : ['SIGTERM'];
      process.on('SIGINT', handler);
      for (const name of terminations) process.on(name, terminate);
      return () => {
        process.off('SIGINT', handler);
        for (const name of terminations) process.off(name, terminate);
      };
    },
    onCrash(handler) {
      // Unhandled rejections arrive here too.
      process.on('uncaughtException', handler);
      return () => void process.off('uncaughtException', handler);
    },
    exit: (code) => process.exit(code),
    localFiles: readLocalFile,
    loadMain: async () => await import('../main.ts'),
  };
}
