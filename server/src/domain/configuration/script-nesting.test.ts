import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';
import { NESTING } from './script-nesting.ts';

/** A node of a syntax tree, or what it may have as a member. */
type Part = Readonly<Record<string, unknown>>;

/** They walk over what has been read already, which nests no deeper than it may, or only share their name with another function. */
const HARMLESS = [
  ['checkLValInnerPattern', 'checkLValPattern'],
  ['checkLValSimple'],
  ['checkPatternExport'],
  ['isLocalVariableAccess'],
  ['isPrivateFieldAccess'],
  ['isSimpleAssignTarget'],
  ['parse'],
  ['parseExpressionAt'],
  ['toAssignable', 'toAssignableList'],
  ['tokenizer'],
];

function* partsIn(value: unknown): Generator<Part> {
  if (typeof value !== 'object' || value === null) return;
  yield value as Part;
  for (const member of Object.values(value)) yield* partsIn(member);
}

/** The last name of `a` or `a.b`. */
function nameOf(part: unknown): string | undefined {
  const { type, name, property, computed } = Object(part);
  if (type === 'MemberExpression' && !computed) return property.name;
  return type === 'Identifier' ? name : undefined;
}

/** What a part calls a function, and the function. */
function definedBy(part: Part): readonly [name: unknown, made: unknown] {
  if (part.type === 'FunctionDeclaration') return [part.id, part];
  if (part.type === 'VariableDeclarator') return [part.id, part.init];
  return part.type === 'AssignmentExpression' ? [part.left, part.right] : [undefined, undefined];
}

/** Which functions those of a program call, all by their names alone. */
function callsIn(program: unknown): Map<string, Set<string>> {
  const calls = new Map<string, Set<string>>();
  for (const part of partsIn(program)) {
    const [called, made] = definedBy(part);
    const name = nameOf(called);
    if (name === undefined || !/Function/.test(Object(made).type)) continue;
    const names = calls.get(name) ?? new Set();
    for (const { type, callee } of partsIn(Object(made).body)) {
      const other = type === 'CallExpression' || type === 'NewExpression' ? nameOf(callee) : undefined;
      if (other !== undefined) names.add(other);
    }
    calls.set(name, names);
  }
  return calls;
}

/** The functions that come back to themselves without calling one of `except`, in groups that call one another. */
function cyclesIn(calls: ReadonlyMap<string, ReadonlySet<string>>, except: readonly string[]): string[][] {
  const reached = new Map<string, Set<string>>();
  for (const start of calls.keys()) {
    if (except.includes(start)) continue;
    const found = new Set<string>();
    // Goes on through what is added meanwhile.
    const ways = [...(calls.get(start) ?? [])];
    for (const name of ways) {
      if (found.has(name) || except.includes(name)) continue;
      found.add(name);
      ways.push(...(calls.get(name) ?? []));
    }
    reached.set(start, found);
  }
  const isOn = (one: string, other: string) => reached.get(one)?.has(other) === true && reached.get(other)?.has(one);
  const groups = [...reached.keys()]
    .sort()
    .map((name) => [...reached.keys()].sort().filter((other) => isOn(name, other)));
  return groups.filter(
    (group, index) => group.length > 0 && groups.findIndex(([first]) => first === group[0]) === index,
  );
}

test('acorn comes back to itself only through functions whose nesting is bounded', () => {
  const source = readFileSync(fileURLToPath(import.meta.resolve('acorn')), 'utf8');
  const calls = callsIn(parse(source, { ecmaVersion: 2024, sourceType: 'module' }));
  for (const name of NESTING) assert.ok(calls.has(name), name);
  assert.deepEqual(cyclesIn(calls, NESTING), HARMLESS);
});
