import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/server.ts';
import {
  compileAssembly,
  compileCore,
  findUnityTools,
  MISSING_UNITY_TOOLS,
  PACKAGE,
  runNUnit,
} from '../support/unity.ts';

const tools = findUnityTools();
const skip = tools === undefined ? MISSING_UNITY_TOOLS : false;

test('[mono] the core of the Unity package compiles as C# 7.2 without a warning, and passes its tests', {
  skip,
}, async (t) => {
  assert.ok(tools !== undefined);
  const directory = temporaryDirectory(t);
  const core = await compileCore(tools, directory);
  const tests = await compileAssembly(tools, directory, {
    name: 'Respark.GameSparks.Core.Tests',
    sources: ['client-unity/Tests/Core'],
    references: [core],
    withTests: true,
  });
  const cases = await runNUnit(t, tools, tests);
  assert.deepEqual(
    cases.filter(({ failure }) => failure !== '').map(({ name, failure }) => `${name}: ${failure}`),
    [],
  );
  assert.ok(cases.length > 500, `${cases.length} tests ran`);
});

test('no C# of the Unity package separates digits, which Mono’s compiler reads as another number', () => {
  for (const file of readdirSync(PACKAGE, { recursive: true }).map(String)) {
    if (!file.endsWith('.cs')) continue;
    assert.doesNotMatch(readFileSync(join(PACKAGE, file), 'utf8'), /\b\d+_\d/, file);
  }
});

test('no code of the Unity package is made while it runs, or found by reflection, which IL2CPP could not compile', () => {
  const runtime = join(PACKAGE, 'Runtime');
  for (const file of readdirSync(runtime, { recursive: true }).map(String)) {
    if (!file.endsWith('.cs')) continue;
    const code = readFileSync(join(runtime, file), 'utf8').replace(/^\s*\/\/.*$/gm, '');
    assert.doesNotMatch(code, /\bdynamic\b|Reflection|Activator|Linq\.Expressions|\.Compile\(|MakeGeneric/, file);
  }
});

test('the core of the Unity package names nothing of Unity’s', () => {
  const core = join(PACKAGE, 'Runtime', 'Core');
  for (const file of readdirSync(core, { recursive: true }).map(String)) {
    if (file.endsWith('.cs'))
      assert.doesNotMatch(readFileSync(join(core, file), 'utf8'), /\bUnity(Engine|Editor)\b/, file);
  }
});
