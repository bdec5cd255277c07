#!/usr/bin/env node
// This file is plain JavaScript, so that `npm ci` can link the command before anything is built.
import { existsSync, readFileSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
const program = new URL('../dist/bundle/program.js', import.meta.url);

if (major < 20 || (major === 20 && minor < 19)) {
  fail(`respark needs Node.js 20.19 or later, but this is ${process.versions.node}: install Node.js 24`);
} else if (!existsSync(program)) {
  // npm leaves the compiler out when this variable is "production", unless it is told not to.
  const after = process.env.NODE_ENV === 'production' ? ' && npm prune --omit=dev' : '';
  fail(`respark is not built yet; run: npm ci --include=dev && npm run build${after}`);
} else {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const { run } = await import(program.href);
  const { createProcessWorld } = await import(new URL('process-world.js', program).href);
  const code = await run(process.argv.slice(2), createProcessWorld(process, version));
  // Output to a pipe may still be buffered: the process ends only after it is written.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  process.exit(code);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
