// Runs the built tests of every workspace, or those whose path contains one of the arguments:
//   node scripts/test.js [part of a path …]
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const sources = ['protocol', 'client', 'server']
  .flatMap((workspace) => readdirSync(workspace, { recursive: true }).map((file) => `${workspace}/${file}`))
  .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules') && !file.includes('/dist'));
const wanted = process.argv.slice(2);
const files = sources
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => file.replace(/^(\w+)\//, '$1/dist/').replace(/\.ts$/, '.js'))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`);
  process.exit(1);
}
const { status } = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${availableParallelism()}`,
    ...(process.stdout.isTTY ? [] : ['--test-reporter=spec']),
    ...files,
  ],
  { stdio: 'inherit' },
);
process.exit(status ?? 1);
