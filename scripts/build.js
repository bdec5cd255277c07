// Builds all workspaces, and the console and what processes run into the server's package. With --unless-built a clone from which the compiler
// has been removed starts what was built.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isConsoleBuilt, rememberConsole, zipConsole } from './console-build.js';
import { bundleServer } from './server-bundle.js';

const [root, compiler, vite, program] = [
  ...['..', '../node_modules/typescript/bin/tsc', '../node_modules/vite/bin/vite.js'],
  '../server/dist/bundle/program.js',
].map((path) => fileURLToPath(new URL(path, import.meta.url)));

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  return status ?? 1;
}

const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  // What builds Respark fails there with a message of its own that does not say so.
  console.error(`respark needs Node.js 20.19 or later, but this is ${process.versions.node}: install Node.js 24`);
  process.exitCode = 1;
} else if (existsSync(compiler)) {
  if (!existsSync(program)) console.log('Respark is built for the first time, which takes about half a minute…');
  process.exitCode = run(compiler, '--build');
  if (process.exitCode === 0) await bundleServer();
  if (process.exitCode === 0 && !isConsoleBuilt()) {
    process.exitCode = run(vite, 'build', 'console', '--logLevel', 'warn');
    if (process.exitCode === 0) {
      zipConsole();
      rememberConsole();
    }
  }
} else if (!process.argv.includes('--unless-built') || !existsSync(program)) {
  console.error(
    'respark cannot be built, because npm has left out the compiler, as it does with NODE_ENV=production; run: npm ci --include=dev && npm run build && npm prune --omit=dev',
  );
  process.exitCode = 1;
}
