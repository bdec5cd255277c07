import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import {
  DisconnectPlayerCommand,
  GameSparksClient,
  ListGamesCommand,
  TagResourceCommand,
} from '@aws-sdk/client-gamesparks';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { NodeSha256 } from '../../../test/support/node-sha256.ts';
import {
  ACCESS_KEY_ID,
  check,
  editAuthorization,
  NOW_MS,
  SECRET,
  TIMESTAMP,
  type Wire,
  withHeader,
} from '../../../test/support/signed-request.ts';
import { signRequest } from './sigv4.ts';

const aws4 = createRequire(import.meta.url)('aws4') as {
  sign(
    request: {
      method: string;
      path: string;
      headers: Record<string, string>;
      body: Buffer;
      service: string;
      region: string;
    },
    credentials: { accessKeyId: string; secretAccessKey: string },
  ): { path: string; headers: Record<string, string | number> };
};

function smithySigner({ applyChecksum = true, region = 'eu-central-1' } = {}): SignatureV4 {
  return new SignatureV4({
    service: 'gamesparks',
    region,
    credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET },
    sha256: NodeSha256,
    applyChecksum,
  });
}

const encodeRfc3986 = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** What the SDK hands to its HTTP client. */
interface SdkRequest {
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: string;
}

interface Plan {
  method: string;
  rawPath: string;
  query: Record<string, string[]>;
  headers: Record<string, string>;
  body: Uint8Array;
  region: string;
}

// The oracles keep these names as object keys, where "__proto__" is special. Objects reorder integers, which does no harm:
// the signature sorts the query.
const name = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }).filter((text) => text !== '__proto__');
const segment = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .map(encodeRfc3986)
  .filter((text) => !/^\.+$/.test(text));
const plans: fc.Arbitrary<Plan> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  rawPath: fc
    .tuple(fc.array(segment, { maxLength: 5 }), fc.boolean())
    .map(([parts, isOpen]) => `/${parts.join('/')}${isOpen && parts.length > 0 ? '/' : ''}`),
  query: fc.dictionary(
    name.filter((text) => !text.toLowerCase().startsWith('x-amz')),
    fc.array(fc.string({ maxLength: 8, unit: 'grapheme' }), { minLength: 1, maxLength: 3 }),
    { maxKeys: 4 },
  ),
  headers: fc.dictionary(fc.stringMatching(/^x-[a-z0-9]{1,6}$/), fc.stringMatching(/^[\x20-\x7e\t]{0,20}$/), {
    maxKeys: 3,
  }),
  body: fc.uint8Array({ maxLength: 64 }),
  region: fc.constantFrom('us-east-1', 'eu-central-1', 'ap-northeast-1', 'local'),
});

const queryText = (query: Record<string, string[]>) =>
  Object.entries(query)
    .flatMap(([key, values]) => values.map((value) => `${encodeRfc3986(key)}=${encodeRfc3986(value)}`))
    .reverse()
    .join('&');

async function signWithSmithy(plan: Plan, applyChecksum: boolean): Promise<Wire> {
  const { headers } = await smithySigner({ applyChecksum, region: plan.region }).sign(
    {
      method: plan.method,
      protocol: 'http:',
      hostname: 'localhost',
      path: plan.rawPath,
      query: plan.query,
      headers: { ...plan.headers, Host: 'localhost:8080', 'User-Agent': 'a test' },
      body: plan.body,
    },
    { signingDate: new Date(NOW_MS) },
  );
  return { ...plan, rawQuery: queryText(plan.query), rawHeaders: Object.entries(headers).flat() };
}

function signWithAws4(plan: Plan): Wire {
  const { path, headers } = aws4.sign(
    {
      method: plan.method,
      path: `${plan.rawPath}?${queryText(plan.query)}`,
      headers: { ...plan.headers, Host: 'localhost:8080', 'X-Amz-Date': TIMESTAMP },
      body: Buffer.from(plan.body),
      service: 'gamesparks',
      region: plan.region,
    },
    { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET },
  );
  const [rawPath = '', ...rest] = path.split('?');
  return { ...plan, rawPath, rawQuery: rest.join('?'), rawHeaders: Object.entries(headers).flat().map(String) };
}

const EXAMPLE: Plan = {
  method: 'POST',
  rawPath: '/runtime/game/Demo/stage/Dev/player/P1/disconnect',
  query: {},
  headers: {},
  body: new Uint8Array(),
  region: 'eu-central-1',
};

describe('a request signed by AWS’s own signers', () => {
  for (const applyChecksum of [true, false]) {
    it(`is verified, signed by smithy ${applyChecksum ? 'with' : 'without'} x-amz-content-sha256`, async () => {
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          assert.equal(check(await signWithSmithy(plan, applyChecksum)), undefined);
        }),
        { seed: 20_260_102, numRuns: 1000 },
      );
    });
  }

  it('is verified, signed by aws4', () => {
    fc.assert(
      fc.property(plans, (plan) => assert.equal(check(signWithAws4(plan)), undefined)),
      { seed: 20_260_102, numRuns: 1000 },
    );
  });

  it('is verified when the AWS SDK sends it', async () => {
    const captured: Wire[] = [];
    const client = new GameSparksClient({
      region: 'eu-central-1',
      endpoint: 'http://localhost:8080',
      credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET },
      requestHandler: {
        updateHttpClientConfig() {},
        httpHandlerConfigs: () => ({}),
        async handle({ method, path, query, headers, body }: SdkRequest) {
          const lists = Object.entries(query ?? {}).map(([key, value]) => [key, [value ?? ''].flat()] as const);
          captured.push({
            method,
            rawPath: path,
            rawQuery: queryText(Object.fromEntries(lists)),
            rawHeaders: Object.entries(headers).flat(),
            body: Buffer.from(body ?? ''),
          });
          throw new Error('captured');
        },
      },
    });
    const ResourceArn = 'arn:aws:gamesparks:eu-central-1:000000000000:game/Demo/stage/Dev';
    for (const command of [
      () => client.send(new DisconnectPlayerCommand({ GameName: 'Demo', StageName: 'Dev', PlayerId: 'P1' })),
      () => client.send(new ListGamesCommand({ MaxResults: 3, NextToken: "a+/= é~*'()" })),
      () => client.send(new TagResourceCommand({ ResourceArn, tags: { Team: 'Röd' } })),
    ]) {
      await assert.rejects(command, { message: 'captured' });
    }
    const nowMs = Date.now();
    assert.deepEqual(
      captured.map((wire) => [wire.method, check(wire, { nowMs })]),
      [
        ['POST', undefined],
        ['GET', undefined],
        ['POST', undefined],
      ],
    );
    assert.match(captured[2]?.rawPath ?? '', /%3A/);
  });

  it('gets the same signature from our signer', async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const url = new URL(`${plan.rawPath}?${queryText(plan.query)}`, 'http://localhost:8080');
        const { headers } = await smithySigner({ region: plan.region }).sign(
          {
            method: plan.method,
            protocol: 'http:',
            hostname: 'localhost',
            path: plan.rawPath,
            query: plan.query,
            headers: { ...plan.headers, Host: url.host },
            body: plan.body,
          },
          { signingDate: new Date(NOW_MS) },
        );
        const ours = signRequest({
          ...plan,
          url,
          accessKeyId: ACCESS_KEY_ID,
          secretAccessKey: SECRET,
          nowMs: NOW_MS,
        });
        assert.equal(ours.authorization, headers.authorization);
      }),
      { seed: 20_260_102, numRuns: 500 },
    );
  });
});

describe('a signed request that was changed', () => {
  const flip = (text: string, at: number) => {
    const index = at % text.length;
    return `${text.slice(0, index)}${text[index] === 'x' ? 'y' : 'x'}${text.slice(index + 1)}`;
  };
  const changes: Record<string, (wire: Wire, at: number) => Wire | undefined> = {
    method: (wire) => ({ ...wire, method: wire.method === 'GET' ? 'DELETE' : 'GET' }),
    path: (wire, at) => ({ ...wire, rawPath: `/${flip(wire.rawPath.slice(1) || 'a', at).replaceAll('/', '-')}` }),
    'longer path': (wire) => ({ ...wire, rawPath: `${wire.rawPath.replace(/\/$/, '')}/player` }),
    query: (wire) => ({ ...wire, rawQuery: `${wire.rawQuery}&more=1` }),
    'last query value': (wire) => (wire.rawQuery === '' ? undefined : { ...wire, rawQuery: `${wire.rawQuery}x` }),
    header: (wire) => withHeader(wire, 'host', 'elsewhere:8080'),
    'white space that is none of HTTP’s around a header': (wire) => withHeader(wire, 'host', '\xa0localhost:8080\xa0'),
    'second value of a header': (wire) => {
      const signed = wire.rawHeaders.find((_, i) => i % 2 === 0 && /^x-[a-z0-9]{1,6}$/.test(wire.rawHeaders[i] ?? ''));
      return signed === undefined ? undefined : { ...wire, rawHeaders: [...wire.rawHeaders, signed, 'more'] };
    },
    body: (wire) => ({ ...wire, body: Buffer.concat([wire.body, Buffer.from(' ')]) }),
    'body and its hash': (wire) => {
      const body = Buffer.concat([wire.body, Buffer.from(' ')]);
      const hash = createHash('sha256').update(body).digest('hex');
      return { ...withHeader(wire, 'x-amz-content-sha256', hash), body };
    },
    date: (wire) => withHeader(wire, 'x-amz-date', '20260102T030406Z'),
    region: (wire) => editAuthorization(wire, (value) => value.replace(/(\/20260102\/)[^/]+/, '$1elsewhere')),
    signature: (wire, at) =>
      editAuthorization(wire, (value) =>
        value.replace(/[0-9a-f]{64}$/, (hex) => hex.replace(hex[at % 64] as string, hex[at % 64] === '0' ? '1' : '0')),
      ),
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`is refused: its ${what}`, async () => {
      await fc.assert(
        fc.asyncProperty(plans, fc.nat(), async (plan, at) => {
          const wire = await signWithSmithy(plan, true);
          const changed = change(wire, at);
          fc.pre(changed !== undefined && JSON.stringify(changed) !== JSON.stringify(wire));
          assert.equal(check(changed as Wire)?.name, 'InvalidSignatureException');
        }),
        { seed: 20_260_102, numRuns: 100 },
      );
    });
  }

  it('is refused with extra slashes in its path, which AWS’s own signers leave out', async () => {
    const wire = await signWithSmithy({ ...EXAMPLE, rawPath: '/game/stage' }, true);
    for (const rawPath of ['/game//stage', '//game/stage', '/game/stage/', '/game///stage']) {
      assert.equal(check({ ...wire, rawPath })?.name, 'InvalidSignatureException', rawPath);
    }
    const open = await signWithSmithy({ ...EXAMPLE, rawPath: '/game//stage' }, true);
    assert.equal(check(open)?.name, 'InvalidSignatureException');
    assert.equal(
      check({ ...open, rawPath: '/game/stage' }),
      undefined,
      'the path without the empty segment is what was signed',
    );
  });

  it('is refused under another secret', async () => {
    assert.equal(
      check(await signWithSmithy(EXAMPLE, true), { secretAccessKey: `${SECRET}x` })?.name,
      'InvalidSignatureException',
    );
  });
});
