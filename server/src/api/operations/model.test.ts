import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WIRE_ERRORS } from '../reply.ts';
import type { Shape } from '../shape.ts';
import { OPERATIONS } from './index.ts';

interface ModelShape {
  type: string;
  required?: string[];
  members?: Record<string, { shape: string; location?: string; locationName?: string }>;
  member?: string;
  key?: string;
  value?: string;
  httpStatus?: number;
  [constraint: string]: unknown;
}

interface Model {
  operations: Record<
    string,
    {
      method: string;
      path: string;
      status: number;
      input: string;
      output: string;
      errors: string[];
      idempotent: boolean;
    }
  >;
  shapes: Record<string, ModelShape>;
}

type Row = Pick<(typeof OPERATIONS)[number], 'name' | 'http' | 'isIdempotent' | 'errors' | 'input' | 'output'>;

const readJson = (url: URL) => JSON.parse(readFileSync(url, 'utf8'));
const MODEL: Model = readJson(new URL('../../../../test/support/model.json', import.meta.url));

/** The only departure from the model: the URLs that this server returns are its own, not those of Amazon S3. */
const EXCEPTIONS: Record<string, Partial<ModelShape>> = { S3PresignedUrl: { pattern: '^https?:\\/\\/(.*)$' } };

test('there is a row for every operation of the model, and no other', () => {
  assert.deepEqual(OPERATIONS.map(({ name }) => name).sort(), Object.keys(MODEL.operations).sort());
  assert.equal(OPERATIONS.length, 33);
});

test('every fact of every operation is that of the published model', () => {
  for (const row of OPERATIONS) assert.deepEqual(factsOfRow(row), factsOfModel(row.name), row.name);
});

test('the only departure from the model is a pattern of URLs, which also accepts those of Amazon S3', () => {
  assert.deepEqual(Object.keys(EXCEPTIONS), ['S3PresignedUrl']);
  const accepts = (pattern: unknown, url: string) => new RegExp(String(pattern), 'u').test(url);
  const theirs = MODEL.shapes.S3PresignedUrl?.pattern;
  const ours = EXCEPTIONS.S3PresignedUrl?.pattern;
  const cases: [string, boolean, boolean][] = [
    ['https://bucket.s3.us-east-1.amazonaws.com/key?X-Amz-Signature=0', true, true],
    ['http://localhost:8080/download/token/Demo.json', false, true],
    ['https://games.example/download/token/Demo.json', false, true],
    ['ftp://games.example/Demo.json', false, false],
  ];
  for (const [url, isTheirs, isOurs] of cases) {
    assert.deepEqual([accepts(theirs, url), accepts(ours, url)], [isTheirs, isOurs], url);
  }
});

test('what a row takes beyond the model is optional and in the body, and hides nothing of the model', () => {
  const extended = OPERATIONS.flatMap(({ name, input, output, additions }) =>
    additions === undefined ? [] : [{ name, input, output, additions }],
  );
  assert.deepEqual(
    extended.map(({ name }) => name),
    ['DisconnectPlayer'],
  );
  for (const { name, input, output, additions } of extended) {
    const isBody = ({ location }: Shape) => location === undefined;
    assert.ok(!Object.values(input.members).some(isBody), `${name} takes no body, so no AWS client sends one`);
    assert.deepEqual(additions.input.required, input.required);
    assert.equal(additions.input.isExact, true);
    for (const side of ['input', 'output'] as const) {
      const theirs = { input, output }[side].members;
      const members = Object.entries(additions[side].members);
      assert.deepEqual(Object.fromEntries(members.filter(([member]) => Object.hasOwn(theirs, member))), theirs);
      assert.ok(members.every(([member, shape]) => Object.hasOwn(theirs, member) || isBody(shape)));
    }
  }
});

test('a row with any single fact changed differs from the model', () => {
  let changes = 0;
  for (const { name, http, isIdempotent, errors, input, output } of OPERATIONS) {
    const row = { http, isIdempotent, errors, input, output };
    for (const [what, changed] of perturbations(row)) {
      const facts = JSON.stringify(factsOfRow({ name, ...(changed as Omit<Row, 'name'>) }));
      assert.notEqual(facts, JSON.stringify(factsOfRow({ name, ...row })), `${name}: ${what}`);
      changes += 1;
    }
  }
  assert.ok(changes > 2_500, `${changes} changes`);
});

test('the copy of the model kept here agrees with the reference, if that is at hand', (t) => {
  const reference = new URL('../../../../../../shared/reference/gamesparks-2021-08-17.json', import.meta.url);
  if (!existsSync(fileURLToPath(reference))) return t.skip('there is no reference beside the repository');
  assert.deepEqual(factsOfReference(readJson(reference)), MODEL);
});

function factsOfRow({ name, http, isIdempotent, errors, input, output }: Row): unknown {
  return {
    name,
    ...http,
    status: 200,
    isIdempotent,
    errors: errors.map((code) => `${WIRE_ERRORS[code]?.name} ${WIRE_ERRORS[code]?.status}`).sort(),
    input: factsOfShape(input),
    output: factsOfShape(output),
  };
}

function factsOfShape(shape: Shape): unknown {
  const { location, ...facts } = shape as Shape & Record<string, unknown>;
  const nested = {
    ...('members' in shape && {
      members: Object.fromEntries(Object.entries(shape.members).map(([name, member]) => [name, bound(name, member)])),
      required: [...shape.required].sort(),
    }),
    ...('member' in shape && { member: factsOfShape(shape.member) }),
    ...('key' in shape && { key: factsOfShape(shape.key) }),
    ...('value' in shape && { value: factsOfShape(shape.value) }),
  };
  return { ...facts, ...nested };
}

/** In this API every member travels under its own name. */
function bound(name: string, member: Shape): unknown {
  const { location } = member;
  return { location, locationName: location && name, shape: factsOfShape(member) };
}

function factsOfModel(name: string): unknown {
  const operation = MODEL.operations[name];
  assert.ok(operation, `the model has ${name}`);
  const { method, path, status, idempotent, errors, input, output } = operation;
  return {
    name,
    method,
    path,
    status,
    isIdempotent: idempotent,
    errors: errors.map((error) => `${error} ${MODEL.shapes[error]?.httpStatus}`).sort(),
    input: factsOfModelShape(input),
    output: factsOfModelShape(output),
  };
}

function factsOfModelShape(name: string): unknown {
  const shape = { ...(MODEL.shapes[name] as ModelShape), ...EXCEPTIONS[name] };
  const { members, member, key, value, required = [], timestampFormat, ...facts } = shape;
  if (facts.type === 'timestamp') assert.equal(timestampFormat, 'iso8601');
  return {
    ...facts,
    ...(members && {
      members: Object.fromEntries(
        Object.entries(members).map(([memberName, { shape, location, locationName }]) => [
          memberName,
          { location, locationName, shape: factsOfModelShape(shape) },
        ]),
      ),
      required: [...required].sort(),
    }),
    ...(member && { member: factsOfModelShape(member) }),
    ...(key && { key: factsOfModelShape(key) }),
    ...(value && { value: factsOfModelShape(value) }),
  };
}

/** Yields copies of a value, each with one thing in it changed, removed or added. */
function* perturbations(value: unknown, path = ''): Generator<[string, unknown]> {
  if (typeof value === 'number') yield [`${path} + 1`, value + 1];
  if (typeof value === 'string') yield [`${path} + x`, `${value}x`];
  if (typeof value === 'boolean') yield [`not ${path}`, !value];
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  const build = (entries: [string, unknown][]) =>
    isList ? entries.map(([, item]) => item) : Object.fromEntries(entries);
  const entries = Object.entries(value);
  for (const [index, [key, item]] of entries.entries()) {
    const others = (replaced: [string, unknown][]) => build(entries.toSpliced(index, 1, ...replaced));
    const isNeeded = ['type', 'members', 'required', 'member', 'key', 'value', 'method', 'path'].includes(key);
    if (isList || (path !== '' && !isNeeded)) yield [`${path} without ${key}`, others([])];
    for (const [what, changed] of perturbations(item, `${path}/${key}`)) yield [what, others([[key, changed]])];
  }
  if (path.endsWith('/members')) yield [`${path} with more`, build([...entries, ['More', { type: 'boolean' }]])];
  if (path.endsWith('/errors')) yield [`${path} with more`, build([...entries, ['', 'more']])];
}

function factsOfReference(reference: {
  operations: Record<string, Record<string, unknown>>;
  shapes: Record<string, Record<string, unknown>>;
}): Model {
  type Named = { shape: string };
  const mapValues = <T, U>(object: Record<string, T>, change: (value: T) => U) =>
    Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
  const pick = (object: Record<string, unknown>, keys: readonly string[]) =>
    Object.fromEntries(keys.filter((key) => key in object).map((key) => [key, object[key]]));
  const operations = mapValues(reference.operations, ({ http, input, output, errors, idempotent }) => {
    const { method, requestUri, responseCode } = http as { method: string; requestUri: string; responseCode: number };
    return {
      method,
      path: requestUri,
      status: responseCode,
      input: (input as Named).shape,
      output: (output as Named).shape,
      errors: (errors as Named[]).map(({ shape }) => shape).sort(),
      idempotent: idempotent === true,
    };
  });
  const shapes = mapValues(reference.shapes, (shape) => ({
    ...pick(shape, ['type', 'min', 'max', 'pattern', 'enum', 'timestampFormat']),
    ...(shape.required !== undefined && { required: (shape.required as string[]).toSorted() }),
    ...(shape.members !== undefined && {
      members: mapValues(shape.members as Record<string, Record<string, unknown>>, (member) =>
        pick(member, ['shape', 'location', 'locationName']),
      ),
    }),
    ...mapValues(pick(shape, ['member', 'key', 'value']) as Record<string, Named>, (inner) => inner.shape),
    ...(shape.error !== undefined && { httpStatus: (shape.error as { httpStatusCode: number }).httpStatusCode }),
    ...(shape.document === true && { type: 'document' }),
  }));
  for (const shape of Object.values(shapes)) if (shape.type === 'document') delete (shape as ModelShape).members;
  return { operations, shapes } as unknown as Model;
}
