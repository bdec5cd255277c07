import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOriginCheck } from './origins.ts';

function check(
  allowed: readonly string[],
  origin: string | undefined,
  { host = 'server.example', isSecure = false }: { host?: string | readonly string[]; isSecure?: boolean } = {},
): boolean {
  const headers = new Map<string, readonly string[]>([['host', [host].flat()]]);
  if (origin !== undefined) headers.set('origin', [origin]);
  return createOriginCheck(allowed)({ headers, isSecure });
}

test('a client without an origin may connect, whatever is allowed', () => {
  for (const allowed of [[], ['https://game.example'], ['*']]) assert(check(allowed, undefined));
});

test('a listed origin counts in every spelling of its own, and no other origin does', () => {
  for (const origin of ['https://game.example', 'HTTPS://Game.Example', 'https://game.example:443']) {
    assert(check(['https://game.example'], origin), origin);
  }
  for (const origin of ['http://game.example', 'https://game.example:8443', 'https://a.game.example', 'null', '']) {
    assert(!check(['https://game.example'], origin), origin);
  }
  assert(check(['capacitor://localhost'], 'capacitor://localhost'));
});

test('a wildcard stands for all subdomains of its scheme, domain and port, and for nothing else', () => {
  const allowed = ['https://*.itch.zone', 'http://*.game.example:3000'];
  const taken = [
    'https://html.itch.zone',
    'https://a.b.itch.zone',
    'HTTPS://X.ITCH.ZONE:443',
    'http://a.game.example:3000',
  ];
  for (const origin of taken) assert(check(allowed, origin), origin);
  for (const origin of [
    'https://itch.zone',
    'https://.itch.zone',
    'https://html.itch.zone/',
    'http://html.itch.zone',
    'https://html.itch.zone:8443',
    'https://evilitch.zone',
    'https://itch.zone.evil.example',
    'https://evil.example/.itch.zone',
    'https://evil.example?.itch.zone',
    'https://evil.example#.itch.zone',
    'https://evil.example\\.itch.zone',
    'https://evil.example:80.itch.zone',
    'https://user@evil.example/x.itch.zone',
    'https://evil.example\t.itch.zone',
    'http://a.game.example',
    'null',
  ]) {
    assert(!check(allowed, origin), origin);
  }
});

test('the server’s own origin may connect where no page of others could have it', () => {
  const own = [
    ['http://192.0.2.1:8080', '192.0.2.1:8080', false],
    ['http://[2001:db8::1]:8080', '[2001:DB8::1]:8080', false],
    ['http://localhost:8080', 'localhost:8080', false],
    ['http://127.0.0.1', '127.0.0.1:80', false],
    ['https://play.example', 'play.example', true],
    ['https://play.example:443', 'play.example', true],
    ['https://play.example', 'Play.Example:443', true],
  ] as const;
  for (const [origin, host, isSecure] of own) assert(check([], origin, { host, isSecure }), origin);

  const others = [
    // A name over plain HTTP may be anybody's.
    ['http://play.example:8080', 'play.example:8080', false],
    ['http://127.0.0.1.evil.example', '127.0.0.1.evil.example', false],
    ['http://play.example', 'play.example', true],
    ['https://play.example', 'play.example', false],
    ['https://192.0.2.1', '192.0.2.1', false],
    ['http://192.0.2.1:3000', '192.0.2.1:8080', false],
    ['https://evil.example', 'play.example', true],
    ['https://play.example', ['play.example', 'evil.example'], true],
    ['http://', '', false],
    ['', '', false],
    ['null', 'null', false],
  ] as const;
  for (const [origin, host, isSecure] of others) assert(!check([], origin, { host, isSecure }), `${origin} at ${host}`);
});

test('what is too long for an origin, or for the host of one, is not read', (t) => {
  const read = t.mock.method(URL, 'canParse');
  const long = `https://${'ü'.repeat(4_000)}.example`;
  for (const allowed of [[], ['*'], ['https://*.example']]) assert(!check(allowed, long), allowed.join());
  assert(!check([], 'https://play.example', { host: `${'ü'.repeat(4_000)}.example`, isSecure: true }));
  for (const { arguments: given } of read.mock.calls) assert(String(given[0]).length <= 400);
});
