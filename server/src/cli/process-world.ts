import { processEnvironment } from '../config/config.ts';
import { readLocalFile } from '../data-directory/local-files.ts';
import { describeFileFault } from '../file-fault.ts';
import type { World } from './world.ts';

/** How long an endless command may take to finish what it has begun once its output is no longer read. */
const UNREAD_MS = 2_000;

/** The world of a real process. */
export function createProcessWorld(process: NodeJS.Process, version: string): World {
  // The reader of stdout may stop early, as in `respark config print | head -1`. What the command has begun, such as to
  // write a file, goes on to its end, which also says whether it has failed. One that would go on for ever, such as to follow
  // a log, is ended. A server, which is the only command that handles uncaught exceptions, keeps serving its players.
  let isUnread = false;
  let isEndless = false;
  const endIfInVain = () => {
    if (isUnread && isEndless) setTimeout(() => process.exit(0), UNREAD_MS).unref();
  };
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (process.listenerCount('uncaughtException') > 0) return;
    if (error.code !== 'EPIPE') {
      const told = `cannot write what this command prints: ${describeFileFault(error)}`;
      process.stderr.write(`${told}; what it asked the server for may be done\n`);
      process.exit(1);
    }
    isUnread = true;
    endIfInVain();
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
      const isWindows = process.platform === 'win32';
      const terminate = isWindows ? () => handler('SIGTERM') : handler;
      const terminations = [isWindows ? 'SIGBREAK' : 'SIGTERM', 'SIGHUP'];
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
    goesOnForEver() {
      isEndless = true;
      endIfInVain();
    },
    localFiles: readLocalFile,
    loadMain: async () => await import('../main.ts'),
  };
}
