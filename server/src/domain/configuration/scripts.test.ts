import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findScriptFault } from './scripts.ts';

const everyOtherCharacter = (count: number) =>
  Array.from({ length: count }, (_, index) => String.fromCodePoint(0x1_0000 + 2 * index)).join('');
const names = (count: number) => Array.from({ length: count }, (_, index) => `a${index.toString(36)}`);

test('a script is the body of a function', () => {
  for (const script of [
    '',
    'return 1;',
    'const { a = 1, ...rest } = message; return { ...rest, a };',
    'var a; var a; function f() {} function f() {}',
    'try {} catch (e) { var e; }',
    'for (const [key, value] of Object.entries(message)) { let key1 = key ?? value?.b; }',
    '"use strict"; return /(?<year>\\d{4})/u.exec(message.a);',
  ]) {
    assert.equal(findScriptFault(script), undefined, script);
  }
});

test('a fault has its line and column, both from 1', () => {
  assert.deepEqual(findScriptFault('let x = ;'), { line: 1, column: 9, message: 'Unexpected token' });
  assert.deepEqual(findScriptFault('let a;\r\nlet b;\n  return (;'), {
    line: 3,
    column: 11,
    message: 'Unexpected token',
  });
  assert.deepEqual(findScriptFault('let a;\nlet a;'), {
    line: 2,
    column: 5,
    message: "Identifier 'a' has already been declared",
  });
});

test('what is not the body of a function is refused, even if it would end one function and begin another', () => {
  for (const script of [
    '}); (function(){',
    '} function f() {',
    '*/',
    'await 1;',
    'import a from "a";',
    'export {};',
    'super.a;',
    '#!/bin/sh',
    'break;',
    'var a; let a;',
    'let a; { var a; }',
    'function f() {} let f;',
    'return "',
    '/(/',
    '`${',
  ]) {
    assert.notEqual(findScriptFault(script), undefined, script);
  }
});

test('a slash that one parser would take for a regular expression lets no script end its function', () => {
  // What follows the first slash is a regular expression, or ends the function, runs, and begins another function.
  const ending = '/ "(" }); for (;;); (function(){ ")" /g';
  for (const before of ['var of; 1\nof\n', 'message?.return\n', 'message?.typeof\n', 'message?.case\n']) {
    assert.deepEqual(findScriptFault(`${before}${ending}`), {
      line: before.split('\n').length,
      column: 7,
      message: "Unexpected token '}'",
    });
  }
  assert.equal(findScriptFault(`of = 1;\n${ending}`), undefined, 'here it is a regular expression');
});

test('classes of characters count where they are, and regular expressions are checked', () => {
  for (const script of [
    'return /^[\\p{L}\\d_]+$/u.test(message.Name);',
    'return /[\\p{Letter}--[a-z]]|\\p{RGI_Emoji}/v;',
    'return /[\\w--\\d]\\\\w/v;',
    'const iv = 1, dgsmyv = /[[a-z]--[\\/iv]]/iv, v = iv /iv, s = /[^\\/dgi-z]/dgimsvy; return a.i/iv/dgsmyv;',
    'return "\\p{a}" + "\\\\" + `\\w\\P{a}`; // \\s\n/* *\\d */',
  ]) {
    assert.equal(findScriptFault(script), undefined, script);
  }
  const many = everyOtherCharacter(2_001);
  assert.equal(findScriptFault(`const v = /[${many}[a-z]]*[^\\w]/gv, w = 1; return w /v/w + "/v";`), undefined);
  for (const script of [
    `/[${many}/v`,
    `/${many}(/v`,
    '/\\p{Nothing}/u',
    '/[\\w-a]/u',
    '/[b-a]/',
    '/a/gg',
    '/a/q',
    '/a/iiv',
    '/a/ivv',
    '/a/iuv',
    '/[a--]/iv',
    '/\\w(/',
    '"\\w',
    'a\\w',
    'a\\p{L}',
  ]) {
    assert.notEqual(findScriptFault(script), undefined, script);
  }
  const ending = '/ "(" + "\\w" }); for (;;); (function(){ ")" /g';
  assert.equal(findScriptFault(`message?.case\n${ending}`)?.message, "Unexpected token '}'");
});

test('what other places have and scripts do not is said in their terms', () => {
  for (const script of ['import a from "a";', 'return 1;\nexport {};']) {
    assert.equal(findScriptFault(script)?.message, 'Scripts have no modules: import and export are not possible');
  }
  for (const script of ['await 1;', 'const a = await f();', 'return  await f();']) {
    assert.match(findScriptFault(script)?.message ?? '', /^await is not possible here: calls wait by themselves/);
  }
  assert.equal(findScriptFault('await = ;')?.message, 'Unexpected token');
});

test('a message is short and has nothing that a terminal would act on', () => {
  const { message } = findScriptFault(`/${'\u001b('.repeat(100_000)}/`) ?? {};
  assert.match(message ?? '', /^[ -~…]{1,300}$/);
});

// Each of these keeps a parser busy for minutes if it does any work for each pair of names, blocks or characters.
test('a large script costs time linear in its length, whatever is in it', () => {
  const blocks = '{'.repeat(60);
  const scripts = {
    names: `let ${names(130_000).join(',')};`,
    'names in blocks': `${blocks}var a${',a'.repeat(150_000)};${'}'.repeat(60)}`,
    'names of both kinds': `var ${names(60_000).join(',')}; let ${names(60_000).join('_,')}_;`,
    'named groups': `/${'(?<a>)|'.repeat(80_000)}/`,
    'classes of characters': '/[\\p{L}\\P{L}]/iu;'.repeat(30_000),
    'classes of characters in one': `/[${'\\W'.repeat(200_000)}]/iu`,
    'classes of texts': '/\\p{RGI_Emoji}/iv;'.repeat(20_000),
    'classes of texts in one': `/[${'\\p{RGI_Emoji}'.repeat(20_000)}]/iv`,
    'characters of a set without case': `/[${everyOtherCharacter(60_000)}]/iv`,
    'characters of a set, the last one first': `/[${[...everyOtherCharacter(200_000)].reverse().join('')}]/v`,
    'characters of many sets': `/[${[...everyOtherCharacter(1_900)].reverse().join('')}]/v;\n`.repeat(60),
    statements: 'a=1;'.repeat(75_000),
    'private names in classes': `${'class{['.repeat(60)}${'a.#b;'.repeat(60_000)}`,
  };
  for (const [what, script] of Object.entries(scripts)) {
    const before = process.cpuUsage();
    findScriptFault(script);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 5_000_000, `${what}: ${(user + system) / 1e6} s`);
  }
});

test('a script that nests too deeply is refused before the stack is used up', () => {
  for (const piece of ['{', '(', '[', '!', 'if(1)', 'for(;;)', 'a=>', '`${', 'a ? b : ', 'a = ', 'new ', '1+(', 'a[']) {
    const { column, message } = findScriptFault(`a;${piece.repeat(100_000)}`) ?? {};
    assert.match(message ?? '', /nests too deeply|nested blocks/, piece);
    // Where the stack is used up, the place is not known.
    assert.notEqual(column, 1, piece);
  }
  for (const [open, close] of ['()', '[]']) {
    const { message } = findScriptFault(`/${open?.repeat(100_000)}${close?.repeat(100_000)}/v`) ?? {};
    assert.equal(message, 'The script nests too deeply');
  }
  for (const comment of ['<!--\n', '\n-->']) {
    const { line, message } = findScriptFault(comment.repeat(100_000)) ?? {};
    assert.equal(message, 'The script nests too deeply');
    assert.notEqual(line, 1);
    assert.equal(findScriptFault(`a;\n${comment.repeat(700)}\nb;`), undefined);
  }
  assert.equal(findScriptFault(`${'('.repeat(200)}1${')'.repeat(200)}`), undefined);
  assert.equal(findScriptFault('{'.repeat(64) + '}'.repeat(64)), undefined);
  assert.equal(findScriptFault('{'.repeat(65) + '}'.repeat(65))?.message, 'More than 64 nested blocks');
  const classes = (depth: number) => `(${'class{['.repeat(depth)}1${']}'.repeat(depth)})`;
  assert.equal(findScriptFault(classes(64)), undefined);
  assert.equal(findScriptFault(classes(65))?.message, 'More than 64 nested classes');
});

test('an expression may have thousands of operators in a row', () => {
  assert.equal(findScriptFault(`return ${'a + b * c - '.repeat(3_000)}1;`), undefined);
  assert.equal(findScriptFault(`return ${'a && b || '.repeat(3_000)}1;`), undefined);
  const { message } = findScriptFault('a || b ?? c') ?? {};
  assert.match(message ?? '', /cannot be mixed/);
  assert.deepEqual(findScriptFault('1 + 2 * 3 + ;'), { line: 1, column: 13, message: 'Unexpected token' });
});
