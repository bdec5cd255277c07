// Builds all workspaces. With --unless-built a clone from which the compiler has been removed starts what was built.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [root, compiler, program] = ['..', '../node_modules/typescript/bin/tsc', '../server/dist/src/cli/program.js'].map(
  (path) => fileURLToPath(new URL(path, import.meta.url)),
);
if (existsSync(compiler)) {
  const { status } = spawnSync(process.execPath, [compiler, '--build'], { cwd: root, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} else if (!process.argv.includes('--unless-built') || !existsSync(program)) {
  console.error(
    'respark cannot be built, because npm has left out the compiler, as it does with NODE_ENV=production; run: npm ci --include=dev && npm run build && npm prune --omit=dev',
  );
  process.exitCode = 1;
}
