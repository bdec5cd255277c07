#!/usr/bin/env node
// This file is plain JavaScript, so that `npm ci` can link the command before anything is built.
import { existsSync, readFileSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
const program = new URL('../dist/bundle/program.js', import.meta.url);

// Node.js would open its debugger, by which every user of the machine could do what this process may. Programs that write their
// log anew at that signal are common, so an operator may send it by mistake.
if (process.platform !== 'win32') process.on('SIGUSR1', () => {});

// The kernel keeps from a process 1, as in a container, every signal that would end it by default. Until the program listens for
// these itself, they would be lost, and a server that was told to stop would begin to serve until it is killed.
if (process.pid === 1) {
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}

if (major < 20 || (major === 20 && minor < 19)) {
  fail(`respark needs Node.js 20.19 or later, but this is ${process.versions.node}: install Node.js 24`);
} else if (!existsSync(program)) {
  // npm leaves the compiler out when this variable is "production", unless it is told not to.
  const after = process.env.NODE_ENV === 'production' ? ' && npm prune --omit=dev' : '';
  fail(`respark is not built yet; run: npm ci --include=dev && npm run build${after}`);
} else {
  const loaded = await load().catch((error) => {
    // Node.js 24 says in words alone why it cannot read a package's file.
    if (!/^E[MN]FILE$/.test(String(error.code)) && !/too many open files/.test(String(error.message))) throw error;
    fail('respark cannot open its own files, because too many files are open: raise the limit (ulimit -n)');
  });
  if (loaded !== undefined) {
    const code = await loaded.run(process.argv.slice(2), loaded.world);
    // Output to a pipe may still be buffered: the process ends only after it is written.
    await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
    process.exit(code);
  }
}

async function load() {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const { run } = await import(program.href);
  const { createProcessWorld } = await import(new URL('process-world.js', program).href);
  return { run, world: createProcessWorld(process, version) };
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
