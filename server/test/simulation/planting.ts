import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A bug to put into a copy of the built server, and the invariant that must fail because of it. */
export interface PlantedBug {
  readonly name: string;
  readonly file: string;
  /** Pairs of the text in the file and the text that replaces it. */
  readonly changes: readonly (readonly [string, string])[];
  /** Other checks that would otherwise stop the bug. */
  readonly alsoIn?: readonly Pick<PlantedBug, 'file' | 'changes'>[];
  /** Where to begin, when only few histories are known to show the bug. */
  readonly firstSeed?: number;
  readonly caughtAs: RegExp;
}

/** A built test file that checks histories, and the variables that choose them. */
interface HistoryTest {
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

const DIST = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a test file in a copy of the build that has the bug. The test must fail, and because of the right invariant. */
export async function assertCaught(bug: PlantedBug, test: HistoryTest): Promise<void> {
  // Inside dist, so that the copy finds the same node_modules.
  const copy = await mkdtemp(join(DIST, 'planted-'));
  try {
    for (const part of ['src', 'test/simulation', 'test/support'])
      await cp(join(DIST, part), join(copy, part), { recursive: true, filter: isNeeded });
    await plant(bug, copy);
    for (const other of bug.alsoIn ?? []) await plant(other, copy);
    const { code, output } = await run(join(copy, test.file), test.env);
    assert.notEqual(code, 0, 'the histories passed with the bug in place');
    assert.match(output, bug.caughtAs);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Declarations, maps and the tests of single modules would only cost time. */
function isNeeded(path: string): boolean {
  const name = path.slice(DIST.length);
  return extname(name) === '' || (name.endsWith('.js') && !(name.startsWith('src/') && name.endsWith('.test.js')));
}

async function plant({ file, changes }: Pick<PlantedBug, 'file' | 'changes'>, copy: string): Promise<void> {
  const path = join(copy, 'src', file);
  let text = await readFile(path, 'utf8');
  for (const [right, wrong] of changes) {
    assert(text.includes(right), `${file} no longer contains ${right}`);
    text = text.replace(right, wrong);
  }
  await writeFile(path, text);
}

function run(file: string, own: HistoryTest['env']): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, [file], { env: { ...env, ...own } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
