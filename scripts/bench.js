// Runs the bench with the options that follow. It is no workspace, because the peers that it measures are no part of the
// product: they are installed into bench/node_modules when they are not there, or are not those of its lock file.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const args = process.argv.slice(2);
if (!args.includes('--help')) {
  if (!hasPeers()) {
    console.error('Installing the peers of the bench, Socket.IO and Colyseus, into bench/node_modules …');
    // The peers work without their install scripts, so nothing of theirs is run before the bench.
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: 'bench' });
  }
  run(process.execPath, ['node_modules/typescript/bin/tsc', '--build', 'bench/tsconfig.peers.json']);
}
run(process.execPath, ['bench/dist/src/run.js', ...args]);

/** Whether what the lock file names is installed, in these versions; what is optional depends on the machine. */
function hasPeers() {
  const [wanted, found] = ['bench/package-lock.json', 'bench/node_modules/.package-lock.json'].map((file) =>
    existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {},
  );
  return Object.entries(wanted).every(
    ([path, { version, optional = false }]) => path === '' || optional || found[path]?.version === version,
  );
}

/** Ends this process with the code of a command that fails. */
function run(command, words, options = {}) {
  const { status, error } = spawnSync(command, words, { stdio: 'inherit', ...options });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
