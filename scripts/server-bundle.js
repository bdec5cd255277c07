// The server's compiled modules in a few files, which is what its processes run: to find and load hundreds of files one by
// one takes more of a processor than most commands do. What npm installs stays outside. The packages of this repository are
// inside: npm would ask its registry for them, where anybody may take their names.
import { existsSync, rmSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';

const [compiled, bundle, ...compiledAt] = [
  '../server/dist/src',
  '../server/dist/bundle',
  ...['server', 'client', 'protocol'].map((name) => `../${name}/dist/tsconfig.tsbuildinfo`),
].map((path) => fileURLToPath(new URL(path, import.meta.url)));
/** What processes and threads begin with. Each file is found by its name, so all are in one folder. */
const ENTRIES = [
  'main.js',
  'cli/program.js',
  'cli/process-world.js',
  'examiner/examiner-keeper.js',
  'examiner/examiner-process.js',
  'outside/exchange-worker.js',
  'sandbox/script-worker.js',
  'threads/job-worker.js',
];

/** Makes the bundle of what has been compiled, unless it is there. */
export async function bundleServer() {
  if (isBundled()) return;
  const { build } = await import('rolldown');
  rmSync(bundle, { recursive: true, force: true });
  await build({
    input: ENTRIES.map((path) => `${compiled}/${path}`),
    platform: 'node',
    external: (id) => isBuiltin(id) || !/^[./]|^[A-Z]:|^@respark\//i.test(id),
    output: { dir: bundle, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
    logLevel: 'warn',
  });
}

/** The compiler writes its own files last, and only when something has changed. */
function isBundled() {
  const last = `${bundle}/main.js`;
  return existsSync(last) && compiledAt.every((file) => statSync(last).mtimeMs > statSync(file).mtimeMs);
}
