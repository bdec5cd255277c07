import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeText, excerpt, grouped, printable, shown, withoutCredentials } from './text.ts';

/** Characters that a terminal or a log reader would act on, or that would hide or reorder the rest. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/u;

/** Texts of any UTF-16 units, most of them harmful. */
const ANY_TEXT = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\u001b', '\u009b', '\n', '\u202e', '\u2028', '\ud83c', '\udfae', '"', '\\', 'a'),
  }),
);

describe('printable', () => {
  it('spells out what is not text, and leaves every script as it is', () => {
    assert.equal(printable('a\r\n\t\u001b[31m\u0085b'), 'a\\u{d}\\u{a}\\u{9}\\u{1b}[31m\\u{85}b');
    assert.equal(
      printable('\u202eabc\u2066\u200b\ufeff\u{e0001}'),
      '\\u{202e}abc\\u{2066}\\u{200b}\\u{feff}\\u{e0001}',
    );
    assert.equal(printable('\u2028\u2029'), '\\u{2028}\\u{2029}');
    assert.equal(printable('\ud83c 🎮 \udfae'), '\\u{d83c} 🎮 \\u{dfae}');
    assert.equal(printable('Ünïcödé 漢字 العربية "\\\''), 'Ünïcödé 漢字 العربية "\\\'');
  });
});

describe('excerpt', () => {
  it('leaves a text whole up to the limit, in characters as people count them', () => {
    assert.equal(excerpt('x'.repeat(128)), 'x'.repeat(128));
    assert.equal(excerpt('🎮'.repeat(128)), '🎮'.repeat(128));
    assert.equal(excerpt('🎮'.repeat(10), 10), '🎮'.repeat(10));
  });

  it('keeps the limit with its ellipsis and with what is spelled out', () => {
    assert.equal(excerpt('x'.repeat(129)), `${'x'.repeat(127)}…`);
    assert.equal(excerpt('🎮'.repeat(11), 10), `${'🎮'.repeat(9)}…`);
    assert.equal(excerpt(`${'a🎮'.repeat(5)}b`, 10), 'a🎮a🎮a🎮a🎮a…');
    assert.equal(excerpt('\u001b\u001b', 10), '\\u{1b}\\u{…');
  });

  it('is printable and within its limit, whatever the text', () => {
    fc.assert(
      fc.property(ANY_TEXT, fc.integer({ min: 1, max: 40 }), (text, max) => {
        const short = excerpt(text, max);
        assert.doesNotMatch(short, HARMFUL);
        assert.ok([...short].length <= max);
        if ([...printable(text)].length <= max) assert.equal(short, printable(text));
        else assert.ok(short.endsWith('…'));
      }),
      { seed: 20_261_126 },
    );
  });
});

describe('shown', () => {
  it('quotes texts so that they cannot end their quotes', () => {
    assert.equal(shown('80a'), '"80a"');
    assert.equal(shown('a", got "b\\'), '"a\\", got \\"b\\\\"');
    assert.equal(shown('\u001b[2J\n'), '"\\u{1b}[2J\\u{a}"');
    assert.equal(shown('\\u{1b}'), '"\\\\u{1b}"');
    assert.equal(shown('x'.repeat(129)), `"${'x'.repeat(127)}…"`);
    assert.equal(shown('x'.repeat(300), 256), `"${'x'.repeat(255)}…"`);
  });

  it('spells numbers, true, false and null as JSON does, and undefined as "nothing"', () => {
    assert.deepEqual(
      [1.5, true, false, null, undefined].map((value) => shown(value)),
      ['1.5', 'true', 'false', 'null', 'nothing'],
    );
  });

  it('shows only the kind of an array or object, so that a secret in it stays there', () => {
    assert.deepEqual(
      [[], ['hunter2'], {}, { secret: 'hunter2' }].map((value) => shown(value)),
      ['[]', 'an array', '{}', 'an object'],
    );
  });

  it('is printable, whatever the text', () => {
    fc.assert(
      fc.property(ANY_TEXT, (text) => {
        assert.doesNotMatch(shown(text), HARMFUL);
        assert.match(shown(text), /^"(?:[^"\\]|\\.)*"$/u);
      }),
      { seed: 20_261_126 },
    );
  });
});

describe('withoutCredentials', () => {
  it('hides what may be a password in a URL, also in one of several or one that is none', () => {
    for (const [text, left] of [
      ['https://me:pw@host.example/path?a=b', 'https://…@host.example/path?a=b'],
      ['A=https://me:pw@host.example,B=https://you:pw@other.example', 'A=https://…@other.example'],
      ['https://me:p/w@host.example', 'https://…@host.example'],
      ['https://token@host.example', 'https://…@host.example'],
      ['https://me:p w@host.example', 'https://…@host.example'],
      ['A=https://me:p w@host.example', 'A=https://…@host.example'],
      ['https:me:pw@host.example', 'https://…@host.example'],
      ['https:\\\\me:pw@host.example', 'https://…@host.example'],
      ['http:/me:p//w@host.example', 'http://…@host.example'],
      ['me:pw@host.example', '…@host.example'],
      ['me:p w@host.example:8080', '…@host.example:8080'],
      ['A=me:pw@host.example', '…@host.example'],
      ['host.example:8080', 'host.example:8080'],
      ['a:b', 'a:b'],
      ['mailto:me@host.example', 'mailto:me@host.example'],
      ['https://host.example/@me', 'https://host.example/@me'],
      ['me@host.example', 'me@host.example'],
      ['https://host.example:8080', 'https://host.example:8080'],
    ] as const)
      assert.equal(withoutCredentials(text), left);
  });

  it('takes no longer for many slashes', () => {
    const text = '//'.repeat(1_000_000);
    const began = performance.now();
    assert.equal(withoutCredentials(text), text);
    assert(performance.now() - began < 2_000);
  });
});

describe('decodeText', () => {
  it('reads a text file without its mark, and refuses what is not UTF-8 with what to do', () => {
    const text = '{"a":"é\ufeff"}';
    assert.equal(decodeText(Buffer.from(text)), text);
    assert.equal(decodeText(Buffer.from(`\ufeff${text}`)), text);
    for (const short of ['', 'x', '\ufeff']) assert.equal(decodeText(Buffer.from(short)), short.replace('\ufeff', ''));
    const utf16 = Buffer.from(text, 'utf16le');
    for (const bytes of [utf16, Buffer.from(`\ufeff${text}`, 'utf16le'), Buffer.from(utf16).swap16()]) {
      assert.throws(() => decodeText(bytes), {
        name: 'EncodingError',
        message: /^it is not UTF-8 but UTF-16, .* save it as/,
      });
    }
    assert.throws(() => decodeText(Buffer.of(0x22, 0xff, 0x22)), {
      message: 'it is not UTF-8: save it in that encoding',
    });
  });
});

describe('grouped', () => {
  it('writes whole numbers as English does', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (number) => assert.equal(grouped(number), number.toLocaleString('en'))));
  });
});
