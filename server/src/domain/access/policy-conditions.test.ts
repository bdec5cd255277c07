import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConditionContext, ConditionFault, compileCondition } from './policy-conditions.ts';

const CONTEXT: ConditionContext = {
  sourceIp: '203.0.113.7',
  isSecure: true,
  currentTimeMs: Date.UTC(2026, 0, 15, 12),
  requestTags: {},
  resourceTags: {},
  tagKeys: [],
};

const isMet = (operator: string, key: string, wanted: string | string[], context: Partial<ConditionContext> = {}) =>
  compileCondition(operator, key, [wanted].flat()).isMet({ ...CONTEXT, ...context }, 'Allow');

describe('an operator on a key that is there', () => {
  const tagged: [operator: string, tag: string, wanted: string | string[], expected: boolean][] = [
    ['StringEquals', 'red', 'red', true],
    ['StringEquals', 'Red', 'red', false],
    ['StringEquals', 'red', 'r*', false],
    ['StringEquals', 'red', ['blue', 'red'], true],
    ['StringEquals', '', '', true],
    ['StringNotEquals', 'red', 'red', false],
    ['StringNotEquals', 'red', ['blue', 'red'], false],
    ['StringNotEquals', 'red', ['blue', 'green'], true],
    ['StringEqualsIgnoreCase', 'Red', 'rED', true],
    ['StringEqualsIgnoreCase', 'Red', 'blue', false],
    ['StringNotEqualsIgnoreCase', 'Red', 'rED', false],
    ['StringNotEqualsIgnoreCase', 'Red', 'blue', true],
    ['StringLike', 'red-1', 'red-?', true],
    ['StringLike', 'red/1:2', 'red*', true],
    ['StringLike', 'red', 'RED*', false],
    ['StringNotLike', 'red-1', ['blue*', 'red*'], false],
    ['StringNotLike', 'red-1', 'blue*', true],
    ['NumericEquals', '5.0', '5', true],
    ['NumericEquals', 'five', '5', false],
    ['NumericNotEquals', '5', ['5', '6'], false],
    ['NumericNotEquals', 'five', '5', true],
    ['NumericLessThan', '4', '5', true],
    ['NumericLessThan', '5', '5', false],
    ['NumericLessThan', 'four', '5', false],
    ['NumericLessThanEquals', '5', '5', true],
    ['NumericGreaterThan', '-1', '-2', true],
    ['NumericGreaterThan', '5', '5', false],
    ['NumericGreaterThanEquals', '5', ['9', '5'], true],
    ['DateEquals', '2026-01-15', '2026-01-15T01:00:00+01:00', true],
    ['Bool', 'true', 'true', true],
    ['Bool', 'yes', 'true', false],
    ['IpAddress', '10.1.2.3', '10.0.0.0/8', true],
  ];
  for (const [operator, tag, wanted, expected] of tagged) {
    it(`${operator} ${JSON.stringify(wanted)} is ${expected} for ${JSON.stringify(tag)}`, () => {
      assert.equal(isMet(operator, 'aws:RequestTag/T', wanted, { requestTags: { T: tag } }), expected);
    });
  }

  const dates: [operator: string, wanted: string | string[], expected: boolean][] = [
    ['DateEquals', '2026-01-15T12:00:00Z', true],
    ['DateEquals', '2026-01-15T13:00+01:00', true],
    ['DateEquals', String(Date.UTC(2026, 0, 15, 12) / 1000), true],
    ['DateNotEquals', ['2026-01-15T12:00:00Z', '2026-01-16'], false],
    ['DateNotEquals', '2026-01-16', true],
    ['DateLessThan', '2026-01-15T12:00:00.001Z', true],
    ['DateLessThan', '2026-01-15T12:00:00Z', false],
    ['DateLessThanEquals', '2026-01-15T12:00:00Z', true],
    ['DateGreaterThan', '2026-01-15', true],
    ['DateGreaterThan', '2026-01-16', false],
    ['DateGreaterThanEquals', '2026-01-15T12:00:00Z', true],
  ];
  for (const [operator, wanted, expected] of dates) {
    it(`${operator} ${JSON.stringify(wanted)} is ${expected} at 2026-01-15T12:00:00Z`, () => {
      assert.equal(isMet(operator, 'aws:CurrentTime', wanted), expected);
    });
  }

  const addresses: [sourceIp: string, wanted: string | string[], expected: boolean][] = [
    ['203.0.113.7', '203.0.113.7', true],
    ['203.0.113.7', '203.0.113.0/24', true],
    ['203.0.113.7', '203.0.113.99/24', true],
    ['203.0.113.7', ['10.0.0.0/8', '203.0.113.6/31'], true],
    ['203.0.113.7', '203.0.113.8', false],
    ['203.0.113.7', '0.0.0.0/0', true],
    ['203.0.113.7', '::/0', false],
    ['::ffff:203.0.113.7', '203.0.113.0/24', true],
    ['::ffff:cb00:7107', '203.0.113.0/24', true],
    ['::ffff:203.0.113.7', '::/0', false],
    ['2001:DB8:0::1', '2001:db8::/32', true],
    ['2001:db9::1', '2001:db8::/32', false],
    ['2001:db8::1', '0.0.0.0/0', false],
    ['fe80::1%eth0', 'fe80::/10', true],
    ['unknown', '0.0.0.0/0', false],
  ];
  for (const [sourceIp, wanted, expected] of addresses) {
    it(`IpAddress ${JSON.stringify(wanted)} is ${expected} for ${sourceIp}, NotIpAddress the contrary`, () => {
      assert.equal(isMet('IpAddress', 'aws:SourceIp', wanted, { sourceIp }), expected);
      assert.equal(isMet('NotIpAddress', 'aws:SourceIp', wanted, { sourceIp }), !expected);
    });
  }

  it('Bool tells TLS from none', () => {
    assert.equal(isMet('Bool', 'aws:SecureTransport', 'true'), true);
    assert.equal(isMet('Bool', 'aws:SecureTransport', 'true', { isSecure: false }), false);
    assert.equal(isMet('Bool', 'aws:SecureTransport', 'false', { isSecure: false }), true);
    assert.equal(isMet('Bool', 'aws:SecureTransport', ['true', 'false'], { isSecure: false }), true);
  });
});

describe('an operator on a key that is absent', () => {
  const cases: [operator: string, wanted: string, expected: boolean][] = [
    ['StringEquals', 'a', false],
    ['StringNotEquals', 'a', true],
    ['StringLike', '*', false],
    ['StringNotLike', '*', true],
    ['NumericEquals', '1', false],
    ['NumericNotEquals', '1', true],
    ['NumericGreaterThan', '1', false],
    ['DateLessThan', '2026-01-01', false],
    ['DateNotEquals', '2026-01-01', true],
    ['Bool', 'false', false],
    ['IpAddress', '0.0.0.0/0', false],
    ['NotIpAddress', '0.0.0.0/0', true],
    ['StringEqualsIfExists', 'a', true],
    ['StringNotEqualsIfExists', 'a', true],
    ['BoolIfExists', 'true', true],
    ['IpAddressIfExists', '10.0.0.0/8', true],
    ['Null', 'true', true],
    ['Null', 'false', false],
    ['ForAllValues:StringEquals', 'a', true],
    ['ForAllValues:StringNotEquals', 'a', true],
    ['ForAllValues:StringEqualsIfExists', 'a', true],
    ['ForAnyValue:StringEquals', 'a', false],
    ['ForAnyValue:StringNotEquals', 'a', false],
  ];
  for (const [operator, wanted, expected] of cases) {
    it(`${operator} is ${expected}`, () => {
      assert.equal(isMet(operator, 'aws:ResourceTag/T', wanted), expected);
    });
  }

  it('is the same for an address that is not known', () => {
    assert.equal(isMet('IpAddress', 'aws:SourceIp', '0.0.0.0/0', { sourceIp: undefined }), false);
    assert.equal(isMet('NotIpAddress', 'aws:SourceIp', '0.0.0.0/0', { sourceIp: undefined }), true);
  });

  it('IfExists changes nothing for a key that is there', () => {
    assert.equal(isMet('StringEqualsIfExists', 'aws:RequestTag/T', 'a', { requestTags: { T: 'b' } }), false);
    assert.equal(isMet('StringEqualsIfExists', 'aws:RequestTag/T', 'a', { requestTags: { T: 'a' } }), true);
  });
});

describe('a set operator', () => {
  const cases: [operator: string, tagKeys: string[], expected: boolean][] = [
    ['ForAllValues:StringEquals', [], true],
    ['ForAllValues:StringEquals', ['a'], true],
    ['ForAllValues:StringEquals', ['a', 'b'], true],
    ['ForAllValues:StringEquals', ['a', 'c'], false],
    ['ForAllValues:StringNotEquals', ['c', 'd'], true],
    ['ForAllValues:StringNotEquals', ['a', 'c'], false],
    ['ForAnyValue:StringEquals', [], false],
    ['ForAnyValue:StringEquals', ['a', 'c'], true],
    ['ForAnyValue:StringEquals', ['c'], false],
    ['ForAnyValue:StringNotEquals', ['a', 'c'], true],
    ['ForAnyValue:StringNotEquals', ['a', 'b'], false],
  ];
  for (const [operator, tagKeys, expected] of cases) {
    it(`${operator} [a, b] is ${expected} for [${tagKeys}]`, () => {
      assert.equal(isMet(operator, 'aws:TagKeys', ['a', 'b'], { tagKeys }), expected);
    });
  }

  it('goes with Null for keys that must be there', () => {
    assert.equal(isMet('Null', 'aws:TagKeys', 'true'), true);
    assert.equal(isMet('Null', 'aws:TagKeys', 'false', { tagKeys: ['a'] }), true);
  });

  it('reads a key with one value as a set of one', () => {
    assert.equal(isMet('ForAllValues:StringEquals', 'aws:RequestTag/T', 'a', { requestTags: { T: 'b' } }), false);
    assert.equal(isMet('ForAnyValue:StringEquals', 'aws:RequestTag/T', 'a', { requestTags: { T: 'a' } }), true);
  });
});

describe('the name of a condition key', () => {
  it('counts without case, the key of a tag included', () => {
    assert.equal(isMet('IpAddress', 'AWS:sourceIP', '203.0.113.7'), true);
    assert.equal(isMet('StringEquals', 'aws:requesttag/team', 'red', { requestTags: { Team: 'red' } }), true);
  });

  it('stands for all tags that differ only in case: an Allow needs all of them, and a Deny one', () => {
    const both = { Team: 'red', team: 'blue' };
    const cases: [operator: string, wanted: string[], allows: boolean, denies: boolean][] = [
      ['StringEquals', ['blue'], false, true],
      ['StringEquals', ['blue', 'red'], true, true],
      ['StringEquals', ['green'], false, false],
      ['StringNotEquals', ['blue'], false, true],
      ['StringNotEquals', ['green'], true, true],
      ['StringEqualsIfExists', ['blue'], false, true],
      ['ForAnyValue:StringEquals', ['blue'], false, true],
      ['ForAllValues:StringEquals', ['blue'], false, true],
      ['Null', ['false'], true, true],
    ];
    for (const [operator, wanted, allows, denies] of cases) {
      for (const key of ['aws:RequestTag/team', 'aws:ResourceTag/Team', 'aws:RequestTag/TEAM']) {
        const condition = compileCondition(operator, key, wanted);
        const context = { ...CONTEXT, requestTags: both, resourceTags: both };
        assert.equal(condition.isMet(context, 'Allow'), allows, `${operator} ${wanted} in an Allow`);
        assert.equal(condition.isMet(context, 'Deny'), denies, `${operator} ${wanted} in a Deny`);
      }
    }
  });

  it('takes tags from the request or the resource, and nothing from prototypes', () => {
    const tags = { requestTags: { T: 'request' }, resourceTags: { T: 'resource' } };
    assert.equal(isMet('StringEquals', 'aws:RequestTag/T', 'request', tags), true);
    assert.equal(isMet('StringEquals', 'aws:ResourceTag/T', 'resource', tags), true);
    assert.equal(isMet('Null', 'aws:RequestTag/constructor', 'true'), true);
    assert.equal(isMet('Null', 'aws:RequestTag/__proto__', 'true'), true);
  });

  it('says whether tags of the resource are read', () => {
    assert.equal(compileCondition('StringEquals', 'aws:resourceTag/T', ['a']).usesResourceTags, true);
    assert.equal(compileCondition('Null', 'aws:ResourceTag/T', ['true']).usesResourceTags, true);
    assert.equal(compileCondition('StringEquals', 'aws:RequestTag/T', ['a']).usesResourceTags, false);
  });
});

describe('a condition that could not work', () => {
  const cases: [operator: string, key: string, wanted: string, message: RegExp][] = [
    ['StringSounds', 'aws:RequestTag/T', 'a', /unknown operator "StringSounds"; use one of StringEquals, /],
    ['stringequals', 'aws:RequestTag/T', 'a', /unknown operator "stringequals"/],
    ['constructor', 'aws:RequestTag/T', 'a', /unknown operator "constructor"/],
    ['NullIfExists', 'aws:RequestTag/T', 'true', /unknown operator "NullIfExists"/],
    ['ForAllValues:Null', 'aws:TagKeys', 'true', /unknown operator "ForAllValues:Null"/],
    ['ForSomeValues:StringEquals', 'aws:TagKeys', 'a', /unknown operator/],
    ['ArnEquals', 'aws:RequestTag/T', 'arn:aws:x', /unknown operator "ArnEquals"/],
    ['StringEquals', 'aws:username', 'a', /unknown condition key "aws:username"; use one of aws:SourceIp, /],
    ['StringEquals', 'aws:RequestTag/', 'a', /unknown condition key "aws:RequestTag\/"/],
    ['StringEquals', 'constructor', 'a', /unknown condition key "constructor"/],
    [
      'StringEquals',
      'aws:SourceIp',
      '10.0.0.1',
      /aws:SourceIp is an IPv4 or IPv6 address .* which StringEquals cannot compare/,
    ],
    ['NumericEquals', 'aws:CurrentTime', '1', /which NumericEquals cannot compare/],
    ['DateEquals', 'aws:SecureTransport', '2026-01-01', /aws:SecureTransport is true or false, which DateEquals/],
    ['StringEquals', 'aws:TagKeys', 'a', /write ForAllValues:StringEquals or ForAnyValue:StringEquals/],
    ['ForAnyValue:StringEqualsIfExists', 'aws:TagKeys', 'a', /write one or the other/],
    [
      'StringLike',
      'aws:RequestTag/T',
      `\${aws:username}`,
      /policy variables are not supported, got "\$\{aws:username}"/,
    ],
    ['Null', 'aws:RequestTag/T', 'maybe', /"maybe" is not true \(absent\) or false \(present\)/],
    ['Bool', 'aws:SecureTransport', 'yes', /"yes" is not true or false/],
    ['NumericEquals', 'aws:RequestTag/T', '0x10', /"0x10" is not a number/],
    ['NumericEquals', 'aws:RequestTag/T', '', /"" is not a number/],
    ['DateEquals', 'aws:CurrentTime', '2026-02-30', /"2026-02-30" is not a date such as/],
    ['DateEquals', 'aws:CurrentTime', '2026-01-01T25:00:00Z', /is not a date/],
    ['DateEquals', 'aws:CurrentTime', '2026-01-01T00:00:00', /is not a date/],
    ['DateEquals', 'aws:CurrentTime', '2026', /is not a date/],
    ['DateEquals', 'aws:CurrentTime', 'tomorrow', /is not a date/],
    ['IpAddress', 'aws:SourceIp', '10.0.0.0/33', /"10.0.0.0\/33" is not an IPv4 or IPv6 address or CIDR range/],
    ['IpAddress', 'aws:SourceIp', '10.0.0.0/08', /is not an IPv4/],
    ['IpAddress', 'aws:SourceIp', '10.0.0.0/8/8', /is not an IPv4/],
    ['IpAddress', 'aws:SourceIp', '10.0/8', /is not an IPv4/],
    ['IpAddress', 'aws:SourceIp', '010.0.0.1', /is not an IPv4/],
    ['IpAddress', 'aws:SourceIp', '10.0.0.*', /is not an IPv4/],
    ['IpAddress', 'aws:SourceIp', '2001:db8::/129', /is not an IPv4/],
    ['IpAddress', 'aws:SourceIp', '::ffff:10.0.0.0/104', /is not an IPv4/],
  ];
  for (const [operator, key, wanted, message] of cases) {
    it(`is refused: ${operator} ${key} ${JSON.stringify(wanted)}`, () => {
      assert.throws(
        () => compileCondition(operator, key, [wanted]),
        (fault) => fault instanceof ConditionFault && message.test(fault.message),
      );
    });
  }
});

describe('a line with as many values as a policy has room for', () => {
  const ranges = Array.from({ length: 280 }, (_, at) => `10.0.${at % 256}.0/24`);
  const dates = Array.from({ length: 200 }, (_, at) => `${3000 + at}-01-01T00:00:00Z`);
  const lines: [operator: string, key: string, wanted: string[]][] = [
    ['NotIpAddress', 'aws:SourceIp', ranges],
    ['DateGreaterThan', 'aws:CurrentTime', dates],
  ];
  for (const [operator, key, wanted] of lines) {
    it(`${operator} reads the value of the request only once`, () => {
      const evaluate = compileCondition(operator, key, wanted);
      const startedAt = process.cpuUsage().user;
      for (let round = 0; round < 4_000; round += 1) {
        const sourceIp = `10.1.${round >> 8}.${round & 255}`;
        evaluate.isMet({ ...CONTEXT, sourceIp, currentTimeMs: CONTEXT.currentTimeMs + round }, 'Allow');
      }
      assert.ok(process.cpuUsage().user - startedAt < 400_000, 'less than 0.1 milliseconds for each');
    });
  }
});

/** Texts that differ from the first in their case only. */
function inOtherCases(text: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) =>
    Array.from(text, (letter, bit) => ((at >> bit) & 1 ? letter.toUpperCase() : letter)).join(''),
  );
}

describe('as many lines about one thing as a policy has room for', () => {
  const resourceTags = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`tag ${at}`, 'value']));
  const lines: [operator: string, key: string, wanted: string][] = [
    ['Null', 'aws:ResourceTag/absent', 'true'],
    ['NotIpAddress', 'aws:SourceIp', '192.0.2.0/24'],
    ['DateGreaterThan', 'aws:CurrentTime', '1970-01-02'],
  ];
  for (const [operator, key, wanted] of lines) {
    it(`${operator} ${key} is decided once for dozens of actions`, () => {
      const conditions = inOtherCases(key, 190).map((name) => compileCondition(operator, name, [wanted]));
      const startedAt = process.cpuUsage().user;
      for (let round = 0; round < 20; round += 1) {
        const context = { ...CONTEXT, currentTimeMs: CONTEXT.currentTimeMs + round, resourceTags: { ...resourceTags } };
        for (let action = 0; action < 90; action += 1) {
          assert.ok(conditions.every(({ isMet }) => isMet({ ...context }, 'Allow')));
        }
      }
      const ms = (process.cpuUsage().user - startedAt) / 1_000;
      assert.ok(ms < 200, `${ms} ms`);
    });
  }
});

describe('dozens of long patterns for dozens of tags whose keys differ in their case only', () => {
  const patterns = Array.from({ length: 52 }, (_, at) => `*${'a'.repeat(100)}b${at}*`);
  const resourceTags = Object.fromEntries(inOtherCases('tagkey', 50).map((key) => [key, 'a'.repeat(256)]));
  const condition = compileCondition('StringLike', 'aws:ResourceTag/tagkey', patterns);
  const msOf = (decide: () => void) => {
    const startedAt = process.cpuUsage().user;
    decide();
    return (process.cpuUsage().user - startedAt) / 1000;
  };

  it('are compared in some milliseconds', () => {
    const ms = msOf(() => {
      for (let round = 0; round < 10; round += 1)
        assert.equal(condition.isMet({ ...CONTEXT, resourceTags: { ...resourceTags } }, 'Deny'), false);
    });
    assert.ok(ms < 500, `${ms} ms`);
  });

  it('are compared once for all decisions about a resource', () => {
    const ms = msOf(() => {
      for (let round = 0; round < 1_000; round += 1)
        assert.equal(condition.isMet({ ...CONTEXT, resourceTags }, 'Deny'), false);
    });
    assert.ok(ms < 500, `${ms} ms`);
  });
});
