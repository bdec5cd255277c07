import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GameModel } from '../../src/domain/configuration/model.ts';
import { generateFiles } from '../../src/domain/generated-code/generate-code.ts';
import { chooseGenerator } from '../../src/domain/generated-code/generators.ts';
import { findMono, run } from './generated-code.ts';
import { temporaryDirectory } from './server.ts';

// Seen from server/dist/test/support.
export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
export const PACKAGE = join(ROOT, 'client-unity');

/** Where Debian keeps what the package's code is compiled with. */
const NEWTONSOFT = '/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll';
const NUNIT = '/usr/lib/cli/nunit.framework-2.6.3/nunit.framework.dll';
const NUNIT_CONSOLE = '/usr/lib/nunit/nunit-console.exe';
const CERT_SYNC = '/usr/bin/cert-sync';

export interface UnityTools {
  readonly mono: string;
  readonly mcs: string;
}

/** Mono with the libraries that the package's code and its tests need, if this machine has them all. */
export function findUnityTools(): UnityTools | undefined {
  return [NEWTONSOFT, NUNIT, NUNIT_CONSOLE, CERT_SYNC].every((file) => existsSync(file)) ? findMono() : undefined;
}

export const MISSING_UNITY_TOOLS =
  'there is no Mono with NUnit and Newtonsoft.Json here (apt-get install mono-mcs libnewtonsoft-json5.0-cil ' +
  'nunit-console libnunit-cil-dev ca-certificates-mono)';

export interface Assembly {
  readonly name: string;
  readonly target?: 'library' | 'exe';
  /** Folders, of which all C# is taken, and single files; relative to the repository or absolute. */
  readonly sources: readonly string[];
  /** Other assemblies, by their paths. */
  readonly references?: readonly string[];
  readonly withTests?: boolean;
  readonly defines?: readonly string[];
}

/**
 * Compiles as Unity's own compiler would at the oldest version that the package is for: C# 7.2, where Mono stops. A
 * warning is an error. Returns the path of the assembly; throws what the compiler says.
 */
export async function compileAssembly({ mcs }: UnityTools, directory: string, assembly: Assembly): Promise<string> {
  const { name, target = 'library', references = [], withTests = false, defines = [] } = assembly;
  const compiled = join(directory, `${name}.${target === 'exe' ? 'exe' : 'dll'}`);
  // Generated enums are marked with what the first of them has; Unity has it in its standard library.
  const libraries = ['System.Runtime.Serialization', NEWTONSOFT, ...(withTests ? [NUNIT] : []), ...references];
  const { stdout, stderr } = await run(mcs, [
    ...['-langversion:7.2', '-warn:4', '-warnaserror', '-debug', `-target:${target}`, `-out:${compiled}`],
    ...libraries.map((library) => `-r:${library}`),
    ...defines.map((define) => `-d:${define}`),
    ...assembly.sources.flatMap((source) => csharpIn(join(source.startsWith('/') ? '' : ROOT, source))),
  ]);
  if (stdout + stderr !== '') throw new Error(`${name} does not compile:\n${stdout}${stderr}`);
  return compiled;
}

/** The core without anything of Unity's. */
export function compileCore(tools: UnityTools, directory: string): Promise<string> {
  return compileAssembly(tools, directory, { name: 'Respark.GameSparks.Core', sources: ['client-unity/Runtime/Core'] });
}

/** The C# that is generated for a game, in a directory. */
export function generated(directory: string, gameName: string, model: GameModel): string[] {
  return generateFiles({ gameName, model, generator: chooseGenerator({}) })
    .filter(({ name }) => name.endsWith('.cs'))
    .map(({ name, text }) => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    });
}

/** The package on stand-ins for Unity: the paths of all its assemblies. */
export async function compilePackage(
  tools: UnityTools,
  directory: string,
  defines: readonly string[] = [],
): Promise<string[]> {
  const standIn = (name: string, references: readonly string[] = []) =>
    compileAssembly(tools, directory, { name, sources: [`server/test/unity/stand-ins/${name}.cs`], references });
  const core = await compileCore(tools, directory);
  const engine = await standIn('UnityEngine');
  const editor = await standIn('UnityEditor', [engine]);
  const runtime = await compileAssembly(tools, directory, {
    name: 'Respark.GameSparks',
    sources: ['client-unity/Runtime/Unity'],
    references: [core, engine],
    defines,
  });
  return [core, engine, editor, runtime];
}

export interface TestCase {
  readonly name: string;
  /** Empty if it passed. */
  readonly failure: string;
}

/** Runs the tests of an assembly, which lies beside those that it refers to. */
export async function runNUnit(t: TestContext, { mono }: UnityTools, assembly: string): Promise<readonly TestCase[]> {
  const results = join(temporaryDirectory(t), 'results.xml');
  const directory = dirname(results);
  const options = ['-nologo', '-noshadow', '-nodots', `-work=${directory}`, '-xml=results.xml'];
  const { stdout, stderr } = await run(mono, [NUNIT_CONSOLE, assembly, ...options], {
    RESPARK_PROTOCOL: join(ROOT, 'protocol'),
    HOME: directory,
  });
  if (!existsSync(results)) throw new Error(`nunit-console wrote no results:\n${stdout}${stderr}`);
  const cases = readFileSync(results, 'utf8').matchAll(
    /<test-case name="([^"]*)"([^>]*?)(?:\/>|>([\s\S]*?)<\/test-case>)/g,
  );
  return [...cases].map(([, name = '', attributes = '', inside = '']) => {
    const failure = inside.replace(/<!\[CDATA\[|\]\]>|<[^>]*>/g, '').trim();
    return { name, failure: attributes.includes('result="Success"') ? '' : failure || 'it did not run' };
  });
}

function csharpIn(path: string): string[] {
  if (path.endsWith('.cs')) return [path];
  return readdirSync(path, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.cs'))
    .sort()
    .map((file) => join(path, file));
}
