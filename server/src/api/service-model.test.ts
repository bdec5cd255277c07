import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OPERATIONS } from './operations/index.ts';
import { WIRE_ERRORS } from './reply.ts';
import { createServiceModel } from './service-model.ts';
import { label, list, map, type Shape, string, structure } from './shape.ts';

type Reference = { shape: string; location?: string; locationName?: string };

interface Model {
  operations: Record<string, { input: Reference; output: Reference; errors: Reference[]; [fact: string]: unknown }>;
  shapes: Record<string, { type: string; [fact: string]: unknown }>;
}

const MODEL = createServiceModel(OPERATIONS) as unknown as Model;
const [ROW = assert.fail()] = OPERATIONS;

describe('the service model', () => {
  for (const { name, http, isIdempotent, errors, input, output, decisions } of OPERATIONS) {
    it(`has the facts of the row of ${name}`, () => {
      const operation = MODEL.operations[name] ?? assert.fail();
      assert.deepEqual(operation.http, { method: http.method, requestUri: http.path, responseCode: 200 });
      assert.equal(operation.idempotent ?? false, isIdempotent);
      assert.deepEqual(
        operation.errors.map(({ shape }) => shape),
        errors.map((code) => WIRE_ERRORS[code].name),
      );
      assert.deepEqual(expand(MODEL, operation.input), input);
      assert.deepEqual(expand(MODEL, operation.output), output);
      assert.equal('documentation' in operation, decisions !== undefined);
    });
  }

  it('has each error with its status', () => {
    for (const { name, status } of Object.values(WIRE_ERRORS)) {
      const { error, exception, members } = MODEL.shapes[name] ?? assert.fail(name);
      assert.deepEqual([(error as { httpStatusCode: number }).httpStatusCode, exception], [status, true]);
      assert.deepEqual(members, { Message: { shape: 'Message' } });
    }
  });

  it('gives different shapes different names, and equal shapes one name', () => {
    const name = string({ max: 1 });
    const input = structure({ Name: label(name), Names: list(name), Inner: structure({ Name: string({ max: 2 }) }) });
    const output = structure({ name, Names: map(name, string({ max: 3 })) });
    const model = createServiceModel([{ ...ROW, name: 'Do', input, output }]) as unknown as Model;
    assert.deepEqual(expand(model, { shape: 'DoRequest' }), input);
    assert.deepEqual(expand(model, { shape: 'DoResponse' }), output);
    const names = Object.keys(model.shapes).filter((shape) => !shape.endsWith('Exception'));
    assert.deepEqual(names, [
      'DoRequest',
      'DoResponse',
      'DoResponseNames',
      'Inner',
      'InnerName',
      'Message',
      'Name',
      'Names',
      'NamesKey',
      'NamesMember',
      'NamesValue',
    ]);
  });

  it('escapes a decision in the HTML', () => {
    const decisions = ['`a<b>` & "c".', 'd'];
    const { operations } = createServiceModel([{ ...ROW, decisions }]) as unknown as Model;
    assert.equal(operations[ROW.name]?.documentation, '<p><code>a&lt;b&gt;</code> &amp; "c".</p><p>d</p>');
  });
});

/** The shape behind a reference of the model, in the form of the table of operations. */
function expand(model: Model, { shape, location, locationName, ...rest }: Reference, name?: string): unknown {
  assert.deepEqual(rest, {});
  assert.equal(locationName, location && name);
  const { timestampFormat, document, ...facts } = model.shapes[shape] ?? assert.fail(`no shape ${shape}`);
  const place = location === undefined ? {} : { location };
  const inner = (key: string) => expand(model, facts[key] as Reference);
  if (document === true) return { ...place, type: 'document' };
  switch (facts.type as Shape['type']) {
    case 'structure': {
      const members = Object.entries(facts.members as Record<string, Reference>);
      const expanded = members.map(([member, reference]) => [member, expand(model, reference, member)]);
      return { ...place, required: [], ...facts, members: Object.fromEntries(expanded) };
    }
    case 'list':
      return { ...place, ...facts, member: inner('member') };
    case 'map':
      return { ...place, ...facts, key: inner('key'), value: inner('value') };
    case 'timestamp':
      assert.equal(timestampFormat, 'iso8601');
      return { ...place, ...facts };
    default:
      return { ...place, ...facts };
  }
}
