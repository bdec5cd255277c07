// Prepares the workspace in whose folder it is run, which `npm pack` does: builds, removes what sources that are gone
// have left in the build, and adds the licence and the documentation that the program points to.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = /(\.d\.ts|\.js|\.js\.map)$/;

const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.js')], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
for (const file of readdirSync(join('dist', 'src'), { recursive: true })) {
  if (BUILT.test(file) && !existsSync(join('src', file.replace(BUILT, '.ts')))) rmSync(join('dist', 'src', file));
}
for (const name of ['LICENSE', 'README.md', 'docs', 'examples']) {
  rmSync(name, { recursive: true, force: true });
  cpSync(join(ROOT, name), name, { recursive: true });
}
