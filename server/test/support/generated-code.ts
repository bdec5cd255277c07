import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Sections } from '../../src/domain/configuration/document.ts';
import { readModel } from '../../src/domain/configuration/model.ts';
import type { SourceFile } from '../../src/domain/generated-code/game-messages.ts';
import { isExecutable } from './chromium.ts';
import { temporaryDirectory } from './server.ts';

// Seen from server/dist/test/support.
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const STAND_INS = join(ROOT, 'server', 'test', 'support', 'csharp');

const required = (Shape: string, Description = '') => ({ Shape, Cardinality: 'Required', Description });
const optional = (Shape: string) => ({ Shape, Cardinality: 'Optional' });

/** A game whose messages use everything that a model can have, with names that are awkward in one language or another. */
export const SAMPLE: Sections = {
  'GameSparks.Core.Requests': {
    FindMatch: {
      AllowedSources: ['Player'],
      RequestShape: 'FindMatchRequest',
      ResponseShape: 'FindMatchResponse',
      Description: 'Looks for opponents.',
    },
    Settle: { AllowedSources: [], RequestShape: 'SettleRequest', ResponseShape: 'Opponent' },
  },
  'GameSparks.Core.Events': { Moved: { AllowedSources: ['Player'], EventShape: 'MovedEvent' } },
  'GameSparks.Core.Notifications': { Chat: { NotificationShape: 'Message' } },
  'GameSparks.Core.Model': {
    FindMatchRequest: { Structure: { Fields: { Level: optional('Integer'), Mode: required('Mode') } } },
    FindMatchResponse: {
      Structure: {
        Fields: { Opponents: required('Opponents'), Scores: required('Scores'), Extra: optional('Document') },
      },
    },
    SettleRequest: { Structure: { Fields: { secret: required('String') } } },
    MovedEvent: {
      Structure: { Fields: { class: required('String'), x: required('Integer'), isFinal: optional('Boolean') } },
    },
    Message: {
      Structure: { Fields: { Message: required('String'), Environment: optional('String'), get_x: optional('Long') } },
    },
    Opponent: {
      Structure: {
        Description: 'One of the others.\n*/ </summary> @ts-expect-error "\u2028injected\u202e',
        Fields: {
          Name: required('String', 'As shown & told.'),
          Since: required('Timestamp'),
          Rating: optional('Decimal'),
        },
      },
    },
    Opponents: { List: { Shape: 'Opponent' } },
    Scores: { Map: { Shape: 'Long', Description: 'By season.' } },
    Mode: { Enum: { Values: ['duel', 'free-for-all', '2v2', 'class'] } },
  },
};

export const sampleModel = readModel(SAMPLE);

/**
 * Compiles modules under the strictest of our own rules, in a directory that has our packages. `compiled` gives the URL
 * of a compiled module, and `said` is empty when the compiler finds nothing wrong.
 */
export async function compileTypeScript(
  t: TestContext,
  files: readonly SourceFile[],
): Promise<{ readonly said: string; readonly compiled: (name: string) => string }> {
  const directory = temporaryDirectory(t);
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const config = {
    extends: join(ROOT, 'tsconfig.base.json'),
    compilerOptions: { rootDir: '.', outDir: 'dist', composite: false, isolatedDeclarations: true },
    include: ['**/*.ts'],
  };
  write(directory, [
    ...files,
    { name: 'package.json', text: '{ "type": "module" }' },
    { name: 'tsconfig.json', text: JSON.stringify(config) },
  ]);
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout, stderr } = await run(process.execPath, [compiler, '--project', directory, '--pretty', 'false']);
  return { said: stdout + stderr, compiled: (file) => new URL(`file://${join(directory, 'dist', file)}`).href };
}

/** Mono's C# compiler and the program that runs its output, if the search path has both. */
export function findMono(): { readonly mcs: string; readonly mono: string } | undefined {
  const directories = (process.env.PATH ?? '').split(delimiter);
  const find = (program: string) => directories.map((directory) => join(directory, program)).find(isExecutable);
  const [mcs, mono] = [find('mcs'), find('mono')];
  return mcs === undefined || mono === undefined ? undefined : { mcs, mono };
}

/**
 * Compiles files with stand-ins for the packages that they need; `said` is empty when the compiler finds nothing wrong.
 */
export async function compileCSharp(
  t: TestContext,
  mcs: string,
  { files, withGame = false }: { files: readonly SourceFile[]; withGame?: boolean },
): Promise<{ readonly said: string; readonly program: string }> {
  const directory = temporaryDirectory(t);
  write(directory, files);
  const standIns = readdirSync(STAND_INS)
    .filter((file) => withGame || file !== 'Game.cs')
    .map((file) => join(STAND_INS, file));
  const program = join(directory, withGame ? 'game.exe' : 'game.dll');
  const { stdout, stderr } = await run(mcs, [
    '-langversion:7',
    `-target:${withGame ? 'exe' : 'library'}`,
    `-out:${program}`,
    ...standIns,
    ...files.map(({ name }) => join(directory, name)),
  ]);
  return { said: stdout + stderr, program };
}

export function run(
  file: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<{ stdout: string; stderr: string }> {
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...variables };
  return new Promise((resolve) => {
    execFile(file, [...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ stdout, stderr: error !== null && stdout + stderr === '' ? error.message : stderr }),
    );
  });
}

function write(directory: string, files: readonly SourceFile[]): void {
  for (const { name, text } of files) {
    const file = join(directory, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
