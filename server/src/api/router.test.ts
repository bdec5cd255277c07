import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRouter } from './router.ts';

const route = (method: string, path: string) => ({ http: { method, path } });

const match = createRouter([
  route('GET', '/game'),
  route('POST', '/game'),
  route('GET', '/game/{GameName}'),
  route('GET', '/game/{GameName}/stage'),
  route('GET', '/game/{GameName}/stage/{StageName}'),
  { ...route('DELETE', '/tags/{ResourceArn}'), isLastLabelGreedy: true },
]);

const encodeAll = (text: string) => text.replace(/./g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function found(method: string, rawPath: string): object | string {
  const result = match(method, rawPath);
  if (result.kind === 'method_not_allowed') return [result.kind, ...result.allowed];
  if (result.kind !== 'operation') return result.kind;
  return [result.operation.http.path, Object.fromEntries(result.labels)];
}

test('a path and a method lead to an operation and its labels', () => {
  assert.deepEqual(found('GET', '/game'), ['/game', {}]);
  assert.deepEqual(found('GET', '/game/G/stage/S'), [
    '/game/{GameName}/stage/{StageName}',
    { GameName: 'G', StageName: 'S' },
  ]);
});

test('a path is split before it is decoded', () => {
  const arn = 'arn%3Aaws%3Agamesparks%3Aus-east-1%3A1%3Agame%2FG';
  assert.deepEqual(found('DELETE', `/tags/${arn}`), [
    '/tags/{ResourceArn}',
    { ResourceArn: 'arn:aws:gamesparks:us-east-1:1:game/G' },
  ]);
  assert.deepEqual(found('GET', '/game/%2F%3F%25'), ['/game/{GameName}', { GameName: '/?%' }]);
});

test('a path has the spelling of AWS clients too, which leads to the same labels', () => {
  const spelled = (method: string, rawPath: string) => {
    const result = match(method, rawPath);
    assert(result.kind === 'operation');
    const same = match(method, result.spelledPath);
    assert(same.kind === 'operation');
    assert.deepEqual([same.operation, same.labels], [result.operation, result.labels]);
    return result.spelledPath;
  };
  assert.equal(spelled('GET', '/game/G/stage/S'), '/game/G/stage/S');
  assert.equal(spelled('GET', '/game/a:b%3Ac~%7E%2e'), '/game/a%3Ab%3Ac~%7E%2e');
  assert.equal(
    spelled('GET', `/game/!"#$&'()*+,:;<=>?@[\\]^\`{|}`),
    `/game/${encodeAll(`!"#$&'()*+,:;<=>?@[\\]^\`{|}`)}`,
  );
  assert.equal(spelled('GET', '/game/st%61ge/stage'), '/game/st%61ge/stage');
  fc.assert(
    fc.property(fc.stringMatching(/^[!-$&-~]*$/), fc.stringMatching(/^[!-$&-.0-~]*$/), (arn, name) => {
      assert.match(spelled('DELETE', `/tags/${arn}`), /^\/tags\/[\w.~%-]*$/);
      assert.match(spelled('GET', `/game/${name}/stage`), /^\/game\/[\w.~%-]*\/stage$/);
    }),
  );
});

test('a greedy label takes the rest of a path, and no route goes on behind it', () => {
  const label = (ResourceArn: string) => ['/tags/{ResourceArn}', { ResourceArn }];
  assert.deepEqual(
    found('DELETE', '/tags/arn:aws:gamesparks:::game/G/stage/S'),
    label('arn:aws:gamesparks:::game/G/stage/S'),
  );
  assert.deepEqual(found('DELETE', '/tags//a//'), label('/a//'));
  assert.deepEqual(found('DELETE', '/tags/a%2Fb/c'), label('a/b/c'));
  assert.equal(found('GET', '/tags/a/b').toString(), 'method_not_allowed,DELETE');
  const greedy = { ...route('GET', '/a/{X}'), isLastLabelGreedy: true };
  assert.throws(() => createRouter([greedy, route('GET', '/a/{X}/b')]), /GET \/a\/\{X\}\/b goes on behind/);
  assert.throws(() => createRouter([route('GET', '/a/{X}/b'), greedy]), /end of GET \/a\/\{X\} is greedy/);
});

test('a stranger’s path with thousands of characters that must be encoded has no function called for each', (t) => {
  const calls = t.mock.method(String.prototype, 'charCodeAt');
  const matched = match('DELETE', `/tags/${'!/'.repeat(5_000)}`);
  assert.equal(calls.mock.callCount(), 0);
  assert.equal(matched.kind === 'operation' && matched.spelledPath, `/tags/${'%21%2F'.repeat(5_000)}`);
});

test('an empty segment is an empty label', () => {
  assert.deepEqual(found('GET', '/game//stage'), ['/game/{GameName}/stage', { GameName: '' }]);
  assert.deepEqual(found('GET', '/game/'), ['/game/{GameName}', { GameName: '' }]);
});

test('a path at which no operation ends is not found', () => {
  for (const path of ['', '/', '*', '//game', '/Game', '/game/G/stage/S/', '/game/G/stage/S/x', 'http://host/game']) {
    assert.equal(found('GET', path), 'unknown_operation', path);
  }
  assert.equal(found('GET', '/tags'), 'unknown_operation');
  assert.deepEqual(found('PUT', '/game'), ['method_not_allowed', 'GET', 'POST']);
  assert.deepEqual(found('get', '/game'), ['method_not_allowed', 'GET', 'POST']);
});

test('names that every object inherits are not routes', () => {
  assert.equal(found('GET', '/constructor'), 'unknown_operation');
  assert.deepEqual(found('__proto__', '/game'), ['method_not_allowed', 'GET', 'POST']);
  assert.deepEqual(found('GET', '/game/__proto__'), ['/game/{GameName}', { GameName: '__proto__' }]);
});

test('escapes that are malformed or not UTF-8 are refused', () => {
  for (const label of ['%', '%2', '%zz', '%ff', '%c3%28']) {
    assert.equal(found('GET', `/game/${label}`), 'malformed_uri', label);
  }
});

test('two operations with the same route are refused', () => {
  assert.throws(() => createRouter([route('GET', '/a/{X}'), route('GET', '/a/{Y}')]), /GET \/a\/\{Y\}/);
});
