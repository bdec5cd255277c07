import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { faultsOf } from '../../test/support/faults-of.ts';
import { loadSettings, SETTING_GROUPS, settingsForDisplay } from './config.ts';

const SECRET = Buffer.alloc(32, 'respark').toString('base64');

function secretFile(t: TestContext, content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'secret');
  writeFileSync(path, content);
  return path;
}

describe('the table of settings', () => {
  const settings = SETTING_GROUPS.flatMap((group) => group.settings);

  it('gives every setting a variable, a help text that is a sentence, and a flag unless it is a secret', () => {
    for (const { key, env, flag, help, isSecret } of settings) {
      assert.match(env, /^RESPARK_[A-Z]+(_[A-Z]+)*$/, key);
      assert.match(help, /^[A-Z].*\.$/, key);
      if (isSecret) assert.equal(flag, undefined, key);
      else assert.match(flag ?? '', /^--[a-z]+(-[a-z]+)*$/, key);
    }
  });

  it('names every setting once, whichever group it is in', () => {
    const keys = settings.map(({ key }) => key);
    assert.deepEqual([...new Set(keys)], keys);
  });

  it('has defaults that satisfy their own rules', () => {
    for (const { key, default: value, parse } of settings) {
      if (value === undefined) continue;
      assert.deepEqual(parse(Array.isArray(value) ? value.join(',') : String(value)), value, key);
    }
  });
});

describe('loadSettings', () => {
  it('starts from defaults that serve this machine only', () => {
    const settings = loadSettings({ env: {} });
    assert.equal(settings.host, '127.0.0.1');
    assert.equal(settings.port, 8080);
    assert.equal(settings.playerPort, undefined);
    assert.deepEqual(settings.allowedOrigins, []);
    assert.equal(settings.sources.port, 'default');
    assert.ok(
      Object.isFrozen(settings) && Object.isFrozen(settings.sources) && Object.isFrozen(settings.allowedOrigins),
    );
  });

  it('lets flags win over the environment, and the environment over defaults', () => {
    const settings = loadSettings({ env: { RESPARK_PORT: '81', RESPARK_HOST: '::1' }, flags: { port: '82' } });
    assert.equal(settings.port, 82);
    assert.equal(settings.sources.port, 'the command line');
    assert.equal(settings.host, '::1');
    assert.equal(settings.sources.host, 'the environment');
  });

  it('ignores a bad variable that a flag overrides', () => {
    assert.equal(loadSettings({ env: { RESPARK_PORT: '80a' }, flags: { port: '0' } }).port, 0);
  });

  it('treats an empty variable as not set', () => {
    assert.equal(loadSettings({ env: { RESPARK_PORT: '', RESPARK_SECRET_KEY: '' } }).port, 8080);
  });

  it('says which value is wrong, what it must be and where it came from', () => {
    assert.deepEqual(faultsOf({ RESPARK_PORT: '80a' }), [
      'RESPARK_PORT must be 0-65535, got "80a" (from the environment)',
    ]);
    assert.deepEqual(faultsOf({}, { logLevel: 'loud' }), [
      '--log-level must be debug, info, warn or error, got "loud" (from the command line)',
    ]);
    assert.deepEqual(faultsOf({}, { dataDir: ' ' }), [
      '--data-dir must be a path that is not blank, got " " (from the command line)',
    ]);
  });

  it('shows no password of a URL that may have none', () => {
    const url = 'https://me:pa/ss@host.example';
    const faults = [
      ...faultsOf({ RESPARK_PUBLIC_URL: url }),
      ...faultsOf({ RESPARK_LAMBDA_ROUTES: `A=${url}` }, { lambdaEndpoint: url }),
    ];
    assert.equal(faults.length, 3);
    for (const fault of faults) {
      assert.match(fault, /https:\/\/…@host\.example/);
      assert.doesNotMatch(fault, /pa\/ss/);
    }
  });

  it('shows no password of an origin, nor in what it says to write instead', () => {
    for (const origin of ['wss://me:pa/ss@host.example', 'me:pa/ss@host.example', 'me:pass@host.example']) {
      const [fault = ''] = faultsOf({ RESPARK_ALLOWED_ORIGINS: origin });
      assert.match(fault, /…@host\.example" (has no scheme|is no origin of a page): write "https:\/\/host\.example"$/);
      assert.doesNotMatch(fault, /\bme:|pa.?ss/);
    }
  });

  it('reports every fault at once, each on a line of its own', () => {
    assert.equal(faultsOf({ RESPARK_PORT: '-1', RESPARK_MAX_GAMES: '0', RESPARK_ACCOUNT_ID: '12' }).length, 3);
  });

  for (const port of ['65536', '-1', '1.5', '0x50', ' 80', '8e1', '٨٠', '99999999999999999999']) {
    it(`refuses the port ${JSON.stringify(port)}`, () => assert.equal(faultsOf({ RESPARK_PORT: port }).length, 1));
  }

  it('shows a bad value on one line, shortened and harmless to a terminal', () => {
    const [fault] = faultsOf({ RESPARK_REGION: `\u001b[2J\n${'x'.repeat(1_000)}` });
    assert.match(fault ?? '', /^RESPARK_REGION must be [^\p{Cc}]{1,200}$/u);
  });

  it('reads lists of proxies and refuses what is neither an address nor a range', () => {
    const settings = loadSettings({ env: { RESPARK_TRUSTED_PROXIES: '10.0.0.0/8, ::1' } });
    assert.deepEqual(settings.trustedProxies, ['10.0.0.0/8', '::1']);
    for (const proxy of ['10.0.0.0/33', '10', '127.1', '010.0.0.1']) {
      assert.equal(faultsOf({ RESPARK_TRUSTED_PROXIES: proxy }).length, 1, proxy);
    }
    assert.equal(faultsOf({ RESPARK_TRUSTED_PROXIES: '10.0.0.1,,10.0.0.2' }).length, 1);
  });

  for (const url of ['https://respark.example', 'http://10.0.0.5:8080', 'https://game.example/respark']) {
    it(`takes the public URL ${url}`, () => {
      assert.equal(loadSettings({ env: { RESPARK_PUBLIC_URL: url } }).publicUrl, url);
    });
  }

  for (const url of [
    'https://respark.example/',
    'https://game.example/respark/',
    'respark.example',
    'ftp://respark.example',
    'https://',
    'https://user:pass@respark.example',
    'https://respark.example?a=b',
    'https://respark.example#a',
    'http://respark.example:99999',
    'http://[::1',
    'http://%',
  ]) {
    it(`refuses the public URL ${url}`, () => assert.equal(faultsOf({ RESPARK_PUBLIC_URL: url }).length, 1));
  }

  it('reads the origins of web pages, spelled as browsers do', () => {
    const origins = ['https://tools.example', 'http://localhost:3000', 'app://respark'];
    assert.deepEqual(loadSettings({ env: { RESPARK_API_ORIGINS: origins.join() } }).apiOrigins, origins);
    for (const origin of [
      '*',
      'null',
      'https://tools.example/',
      'https://Tools.example',
      'https://*.example',
      'tools',
    ]) {
      assert.equal(faultsOf({ RESPARK_API_ORIGINS: origin }).length, 1, origin);
    }
  });

  it('reads the hosts and regions for which calls may be signed', () => {
    const env = { RESPARK_SIGNED_HOSTS: 'respark.example, [::1]:8080', RESPARK_SIGNED_REGIONS: 'eu-west-9,local' };
    const { signedHosts, signedRegions } = loadSettings({ env });
    assert.deepEqual(
      [signedHosts, signedRegions],
      [
        ['respark.example', '[::1]:8080'],
        ['eu-west-9', 'local'],
      ],
    );
    for (const host of ['https://respark.example', 'respark.example/', 'a:b', '*']) {
      assert.equal(faultsOf({ RESPARK_SIGNED_HOSTS: host }).length, 1, host);
    }
    assert.equal(faultsOf({ RESPARK_SIGNED_REGIONS: 'EU' }).length, 1);
  });

  it('reads lists of roles, with wildcards, and refuses what is not an ARN', () => {
    const env = { RESPARK_ALLOWED_ROLES: 'arn:aws:iam::*:role/GameDeployment*, arn:aws:iam::123456789012:role/Live' };
    assert.equal(loadSettings({ env }).allowedRoles.length, 2);
    for (const role of ['*', 'Live', 'arn:', 'arn:aws:iam::1:role/a b']) {
      assert.equal(faultsOf({ RESPARK_ALLOWED_ROLES: role }).length, 1, role);
    }
  });

  for (const origin of [
    'https://game.example',
    'http://localhost:3000',
    'capacitor://localhost',
    'null',
    '*',
    'https://*.itch.zone',
    'http://*.localhost:3000',
  ]) {
    it(`takes the origin ${origin}`, () => {
      assert.deepEqual(loadSettings({ env: { RESPARK_ALLOWED_ORIGINS: origin } }).allowedOrigins, [origin]);
    });
  }

  const misspelled = [
    ['https://game.example/', 'ends with a slash: write https://game.example'],
    ['https://Game.Example', 'has capital letters: write https://game.example'],
    ['HTTPS://game.example', 'has capital letters: write https://game.example'],
    ['https://game.example:443', 'names the default port: write https://game.example'],
    ['http://game.example:80', 'names the default port: write http://game.example'],
    ['https://game.example/play', 'has a path: write https://game.example'],
    ['https://me@game.example', 'has a user name: write https://game.example'],
    ['https://spiel.größe.example', 'is not spelled as browsers do: write https://spiel.xn--gre-6ka8i.example'],
    ['https://*.Itch.zone/', 'ends with a slash: write https://*.itch.zone'],
    ['game.example', 'has no scheme: write "https://game.example"'],
    ['localhost:5173', 'has no scheme: write "http://localhost:5173"'],
    ['127.0.0.1', 'has no scheme: write "http://127.0.0.1"'],
    ['localhost.example', 'has no scheme: write "https://localhost.example"'],
    ['*.itch.zone', 'has no scheme: write "https://*.itch.zone"'],
    ['wss://game.example', 'is no origin of a page: write "https://game.example"'],
    ['https://*', 'has * where it cannot stand: write * alone, or as in https://*.game.example'],
    ['https://a.*.example', 'has * where it cannot stand: write * alone, or as in https://*.game.example'],
    ['https://*game.example', 'has * where it cannot stand: write * alone, or as in https://*.game.example'],
    [
      'https://*.zone',
      'lets in a whole top-level domain: write at least two names behind *., as in https://*.game.example',
    ],
    ['https://*.0.0.1', 'has no host that a browser could reach: write an origin such as https://game.example'],
    ['https://', 'has no host that a browser could reach: write an origin such as https://game.example'],
    ['capacitor://localhost/', 'must be a scheme in lower case, :// and a host without a path or *'],
  ] as const;
  for (const [origin, advice] of misspelled) {
    it(`says what to write instead of the origin ${origin}`, () => {
      const [fault = ''] = faultsOf({ RESPARK_ALLOWED_ORIGINS: `https://fine.example, ${origin}` });
      assert.equal(
        fault.slice(fault.indexOf('(from')),
        `(from the environment): "${origin.replace('me@', '…@')}" ${advice}`,
      );
    });
  }
});

describe('unknown variables', () => {
  it('are faults that name what was probably meant', () => {
    assert.deepEqual(faultsOf({ RESPARK_DATADIR: '/data' }), [
      'RESPARK_DATADIR is not a setting (from the environment); use RESPARK_DATA_DIR',
    ]);
    assert.match(faultsOf({ RESPARK_COLOUR_OF_THE_SKY: 'blue' })[0] ?? '', /"respark config print"/);
  });

  it('are ignored without the prefix', () => {
    assert.deepEqual(faultsOf({ PATH: '/bin', RESPARKLE: '1' }), []);
  });

  it('are accepted when Kubernetes puts them there for a Service named respark or respark-…', () => {
    assert.deepEqual(
      faultsOf({
        RESPARK_SERVICE_HOST: '10.0.0.1',
        RESPARK_SERVICE_PORT: '8080',
        RESPARK_SERVICE_PORT_HTTP: '8080',
        RESPARK_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
        RESPARK_PORT_8080_TCP_PROTO: 'tcp',
        RESPARK_PORT_8080_TCP_ADDR: '10.0.0.1',
        RESPARK_REDIS_PORT: 'tcp://10.0.0.2:6379',
        RESPARK_REDIS_SERVICE_HOST: '10.0.0.2',
        RESPARK_REDIS_PORT_6379_TCP_PORT: '6379',
      }),
      [],
    );
    assert.equal(faultsOf({ RESPARK_REDIS_PORT: '6379' }).length, 1);
    assert.equal(faultsOf({ RESPARK_ENDPOINT: 'tcp://10.0.0.1' }).length, 1);
  });

  it('are explained when Kubernetes sets the variable of a setting', () => {
    const [fault, ...more] = faultsOf({ RESPARK_PORT: 'tcp://10.0.0.1:8080' });
    assert.deepEqual(more, []);
    assert.match(
      fault ?? '',
      /must be 0-65535, got "tcp:\/\/10\.0\.0\.1:8080".*Kubernetes.*"respark".*enableServiceLinks: false.*--port$/,
    );
  });
});

describe('secrets', () => {
  it('come from the environment or from a file, whose last newline does not count', (t) => {
    assert.equal(loadSettings({ env: { RESPARK_SECRET_KEY: SECRET } }).secretKey, SECRET);
    const settings = loadSettings({ env: { RESPARK_SECRET_KEY_FILE: secretFile(t, `${SECRET}\n`) } });
    assert.equal(settings.secretKey, SECRET);
    assert.equal(settings.sources.secretKey, 'a file');
    const marked = secretFile(t, `\ufeff${SECRET}\r\n`);
    assert.equal(loadSettings({ env: { RESPARK_SECRET_KEY_FILE: marked } }).secretKey, SECRET);
  });

  it('in a file that is not UTF-8 are a fault that says so', (t) => {
    const file = secretFile(t, SECRET);
    writeFileSync(file, `\ufeff${SECRET}`, 'utf16le');
    assert.deepEqual(faultsOf({ RESPARK_SECRET_KEY_FILE: file }), [
      `RESPARK_SECRET_KEY_FILE must name a text file, got "${file}": it is not UTF-8 but UTF-16, as Windows PowerShell writes by itself: save it as UTF-8`,
    ]);
  });

  it('are never taken from the command line', () => {
    assert.equal(loadSettings({ env: {}, flags: { secretKey: SECRET } }).secretKey, undefined);
  });

  it('given twice are a fault', (t) => {
    assert.deepEqual(faultsOf({ RESPARK_SECRET_KEY: SECRET, RESPARK_SECRET_KEY_FILE: secretFile(t, SECRET) }), [
      'RESPARK_SECRET_KEY and RESPARK_SECRET_KEY_FILE are both set; set only one of them',
    ]);
  });

  it('in a file that cannot be read are a fault that names the file', () => {
    assert.deepEqual(faultsOf({ RESPARK_SECRET_KEY_FILE: '/nowhere/secret' }), [
      'RESPARK_SECRET_KEY_FILE must name a file that can be read, got "/nowhere/secret" (ENOENT)',
    ]);
  });

  it('never appear in a message or on display', (t) => {
    const bad = 'hunter2';
    for (const env of [{ RESPARK_SECRET_KEY: bad }, { RESPARK_SECRET_KEY_FILE: secretFile(t, bad) }]) {
      const [fault] = faultsOf(env);
      assert.match(fault ?? '', /^RESPARK_SECRET_KEY/);
      assert.doesNotMatch(fault ?? '', /hunter2/);
    }
    const displayed = settingsForDisplay(loadSettings({ env: { RESPARK_SECRET_KEY: SECRET } }));
    assert.doesNotMatch(JSON.stringify(displayed), new RegExp(SECRET.slice(0, 20)));
    assert.deepEqual(
      displayed.find(({ key }) => key === 'secretKey'),
      { key: 'secretKey', env: 'RESPARK_SECRET_KEY', value: 'set', source: 'the environment' },
    );
    assert.equal(displayed.find(({ key }) => key === 'rootSecretAccessKey')?.value, 'not set');
  });

  it('of the root key must be too long to search for', () => {
    const withSecret = (length: number) =>
      faultsOf({ RESPARK_ROOT_ACCESS_KEY_ID: 'ROOT', RESPARK_ROOT_SECRET_ACCESS_KEY: 'x'.repeat(length) });
    const [fault = ''] = withSecret(31);
    assert.match(fault, /^RESPARK_ROOT_SECRET_ACCESS_KEY must be 32-128 printable .*"openssl rand -hex 20".*not shown/);
    assert.doesNotThrow(() =>
      loadSettings({ env: { RESPARK_ROOT_ACCESS_KEY_ID: 'ROOT', RESPARK_ROOT_SECRET_ACCESS_KEY: 'x'.repeat(32) } }),
    );
  });
});
