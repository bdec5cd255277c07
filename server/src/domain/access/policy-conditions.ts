import { isDay } from '../../calendar.ts';
import { parseIpAddress, parseIpRange } from '../../ip-address.ts';
import { compileWildcard } from '../wildcard.ts';

/** What a request tells the conditions of a policy. */
export interface ConditionContext {
  /** The address of the caller, IPv4 or IPv6; undefined where it is not known. */
  sourceIp?: string | undefined;
  /** Whether the caller's connection is TLS. */
  isSecure: boolean;
  /** Milliseconds since 1970. */
  currentTimeMs: number;
  /** Tags that the request wants to set. */
  requestTags: Readonly<Record<string, string>>;
  /** Tags that the resource already has. */
  resourceTags: Readonly<Record<string, string>>;
  /** Keys of all tags that the request names, whether to set or to remove them. */
  tagKeys: readonly string[];
}

export interface Condition {
  readonly usesResourceTags: boolean;
  readonly usesSourceIp: boolean;
  /**
   * The case of a tag's key does not count, so several tags may match: to allow, all of them must meet the condition; to deny, one
   * is enough.
   */
  isMet(context: ConditionContext, effect: 'Allow' | 'Deny'): boolean;
}

/** What is wrong with a condition, for the author of the policy. */
export class ConditionFault extends Error {}

type Test = (actual: Actual) => boolean;

/**
 * A value of a request. It is read as an address or a date only once, because a line of a policy has room for hundreds of values to
 * compare it with.
 */
class Actual {
  readonly text: string;
  readonly #read = new Map<(text: string) => unknown, unknown>();

  constructor(text: string) {
    this.text = text;
  }

  as<T>(parse: (text: string) => T): T {
    if (!this.#read.has(parse)) this.#read.set(parse, parse(this.text));
    return this.#read.get(parse) as T;
  }
}

/** The kind of value that an operator compares and that a key holds. */
type Kind = 'string' | 'number' | 'date' | 'boolean' | 'address';

interface Operator {
  kind: Kind;
  /** True for …Not… operators, which are met when none of the policy's values matches, and also by an absent key. */
  isNegated?: boolean;
  /** Undefined when a policy's value is malformed. A request's value that is malformed matches nothing. */
  compile(wanted: string): Test | undefined;
}

const VALUE_FORMS: Readonly<Record<Kind, string>> = {
  string: 'a text',
  number: 'a number such as 5 or -0.5',
  date: 'a date such as 2026-01-31 or 2026-01-31T13:00:00Z, or seconds since 1970',
  boolean: 'true or false',
  address: 'an IPv4 or IPv6 address or CIDR range such as 203.0.113.0/24 or 2001:db8::/32',
};

const stringEquals = (wanted: string): Test => {
  return ({ text }) => text === wanted;
};
const stringEqualsIgnoreCase = (wanted: string): Test => {
  const lower = wanted.toLowerCase();
  return ({ text }) => text.toLowerCase() === lower;
};
const stringLike = (wanted: string): Test => {
  const matches = compileWildcard(wanted);
  return ({ text }) => matches(text);
};

const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: { kind: 'string', compile: stringEquals },
  StringNotEquals: { kind: 'string', isNegated: true, compile: stringEquals },
  StringEqualsIgnoreCase: { kind: 'string', compile: stringEqualsIgnoreCase },
  StringNotEqualsIgnoreCase: { kind: 'string', isNegated: true, compile: stringEqualsIgnoreCase },
  StringLike: { kind: 'string', compile: stringLike },
  StringNotLike: { kind: 'string', isNegated: true, compile: stringLike },
  ...comparisons('Numeric', 'number', parseNumber),
  ...comparisons('Date', 'date', parseDate),
  Bool: { kind: 'boolean', compile: (wanted) => (/^(true|false)$/.test(wanted) ? stringEquals(wanted) : undefined) },
  IpAddress: { kind: 'address', compile: compileCidr },
  NotIpAddress: { kind: 'address', isNegated: true, compile: compileCidr },
};

interface Key {
  /** Undefined for tags, whose free text any operator may read. */
  kind?: Kind;
  isMultivalued?: boolean;
  usesResourceTags?: boolean;
  /** Empty when the request has no such key. */
  values(context: ConditionContext): readonly string[];
}

/** By name in lower case: key names are not case-sensitive. */
const KEYS: Readonly<Record<string, Key>> = {
  'aws:sourceip': { kind: 'address', values: ({ sourceIp }) => (sourceIp === undefined ? [] : [sourceIp]) },
  'aws:securetransport': { kind: 'boolean', values: ({ isSecure }) => [String(isSecure)] },
  'aws:currenttime': { kind: 'date', values: ({ currentTimeMs }) => [textOfTime(currentTimeMs)] },
  'aws:tagkeys': { isMultivalued: true, values: ({ tagKeys }) => tagKeys },
};

/** The time that was asked for last, of which each line of a policy asks again. */
let lastTime = { ms: 0, text: new Date(0).toISOString() };

function textOfTime(ms: number): string {
  if (lastTime.ms !== ms) lastTime = { ms, text: new Date(ms).toISOString() };
  return lastTime.text;
}

const KEY_NAMES =
  'aws:SourceIp, aws:SecureTransport, aws:CurrentTime, aws:TagKeys, aws:RequestTag/KEY and aws:ResourceTag/KEY';

/**
 * Compiles one line of a Condition block: `{ operatorName: { keyName: wanted } }`, where `wanted` has at least one
 * value. The rules are IAM's ("IAM JSON policy elements: Condition operators", "Multivalued context keys"): the values
 * of a line are alternatives; an absent key meets only negated operators and …IfExists; it meets ForAllValues:, but not
 * ForAnyValue:. The server is stricter where IAM would store what cannot work: a key takes only the operators of its
 * own type (tags, being free text, take all; text of the wrong form matches nothing), and aws:TagKeys needs a set
 * operator.
 * @throws ConditionFault
 */
export function compileCondition(operatorName: string, keyName: string, wanted: readonly string[]): Condition {
  const key = getKey(keyName);
  const uses = { usesResourceTags: key.usesResourceTags === true, usesSourceIp: key === KEYS['aws:sourceip'] };
  if (operatorName === 'Null') return { ...uses, isMet: once(key, compileNull(key, wanted)) };
  const [, set, baseName = '', ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(operatorName) ?? [];
  const operator = Object.hasOwn(OPERATORS, baseName) ? OPERATORS[baseName] : undefined;
  if (operator === undefined) {
    throw new ConditionFault(
      `unknown operator ${JSON.stringify(operatorName)}; use one of ${Object.keys(OPERATORS).join(', ')}, with or without ForAllValues:, ForAnyValue: or …IfExists, or Null`,
    );
  }
  if (key.kind !== undefined && key.kind !== operator.kind) {
    throw new ConditionFault(`${keyName} is ${VALUE_FORMS[key.kind]}, which ${baseName} cannot compare`);
  }
  if (key.isMultivalued && set === undefined) {
    throw new ConditionFault(
      `${keyName} has several values: write ForAllValues:${operatorName} or ForAnyValue:${operatorName}`,
    );
  }
  if (set === 'ForAnyValue' && ifExists !== undefined) {
    throw new ConditionFault('ForAnyValue: is not met by an absent key and …IfExists is; write one or the other');
  }
  const tests = wanted.map((value) => compileValue(operator, value));
  const isNegated = operator.isNegated === true;
  const accepts = (text: string): boolean => {
    const actual = new Actual(text);
    return tests.some((test) => test(actual)) !== isNegated;
  };
  const isMetByAbsence = isNegated || ifExists !== undefined;
  const isMet: Condition['isMet'] = (context, effect) => {
    const values = key.values(context);
    if (key.isMultivalued) return set === 'ForAllValues' ? values.every(accepts) : values.some(accepts);
    if (values.length === 0) return set === undefined ? isMetByAbsence : set === 'ForAllValues';
    return effect === 'Allow' ? values.every(accepts) : values.some(accepts);
  };
  return { ...uses, isMet: once(key, isMet) };
}

/**
 * What a condition depends on is looked at once for all actions that somebody asks about, of which there are dozens: a policy has
 * room for hundreds of lines, since the case of a key does not count.
 */
function once(key: Key, isMet: Condition['isMet']): Condition['isMet'] {
  if (key.usesResourceTags) return oncePerTags(isMet);
  return key.kind === undefined ? isMet : oncePerValue(key, isMet);
}

/** For a key that has one value at most. */
function oncePerValue(key: Key, isMet: Condition['isMet']): Condition['isMet'] {
  let last:
    | { readonly value: string | undefined; readonly effect: 'Allow' | 'Deny'; readonly found: boolean }
    | undefined;
  return (context, effect) => {
    const [value] = key.values(context);
    if (last?.value !== value || last?.effect !== effect) last = { value, effect, found: isMet(context, effect) };
    return last.found;
  };
}

function oncePerTags(isMet: Condition['isMet']): Condition['isMet'] {
  const known = { Allow: new WeakMap<object, boolean>(), Deny: new WeakMap<object, boolean>() };
  return (context, effect) => {
    const found = known[effect].get(context.resourceTags) ?? isMet(context, effect);
    known[effect].set(context.resourceTags, found);
    return found;
  };
}

function getKey(keyName: string): Key {
  const lower = keyName.toLowerCase();
  const key = Object.hasOwn(KEYS, lower) ? KEYS[lower] : undefined;
  if (key !== undefined) return key;
  const [, source, tagKey] = /^aws:(requesttag|resourcetag)\/(.+)$/is.exec(keyName) ?? [];
  if (source === undefined || tagKey === undefined) {
    throw new ConditionFault(`unknown condition key ${JSON.stringify(keyName)}; use one of ${KEY_NAMES}`);
  }
  const usesResourceTags = source.toLowerCase() === 'resourcetag';
  return {
    usesResourceTags,
    values: (context) => findTags(usesResourceTags ? context.resourceTags : context.requestTags, tagKey),
  };
}

/**
 * The key of a tag is part of a condition key's name, so its case does not count, and several tags may match. None of them is
 * preferred: otherwise a caller could hide a tag from a Deny behind another one, and remove that one afterwards.
 */
function findTags(tags: Readonly<Record<string, string>>, tagKey: string): readonly string[] {
  const lower = tagKey.toLowerCase();
  return Object.entries(tags)
    .filter(([name]) => name.toLowerCase() === lower)
    .map(([, value]) => value);
}

function compileNull(key: Key, wanted: readonly string[]): Condition['isMet'] {
  const wrong = wanted.find((value) => value !== 'true' && value !== 'false');
  if (wrong !== undefined) throw new ConditionFault(`${JSON.stringify(wrong)} is not true (absent) or false (present)`);
  return (context) => wanted.includes(String(key.values(context).length === 0));
}

function compileValue(operator: Operator, wanted: string): Test {
  if (wanted.includes('${')) {
    throw new ConditionFault(
      `policy variables are not supported, got ${JSON.stringify(wanted)}; write the value itself`,
    );
  }
  const test = operator.compile(wanted);
  if (test === undefined) throw new ConditionFault(`${JSON.stringify(wanted)} is not ${VALUE_FORMS[operator.kind]}`);
  return test;
}

function comparisons(
  prefix: string,
  kind: Kind,
  parse: (text: string) => number | undefined,
): Readonly<Record<string, Operator>> {
  const operator = (holds: (actual: number, wanted: number) => boolean): Operator => ({
    kind,
    compile(wantedText) {
      const wanted = parse(wantedText);
      if (wanted === undefined) return undefined;
      return (value) => {
        const actual = value.as(parse);
        return actual !== undefined && holds(actual, wanted);
      };
    },
  });
  return {
    [`${prefix}Equals`]: operator((actual, wanted) => actual === wanted),
    [`${prefix}NotEquals`]: { ...operator((actual, wanted) => actual === wanted), isNegated: true },
    [`${prefix}LessThan`]: operator((actual, wanted) => actual < wanted),
    [`${prefix}LessThanEquals`]: operator((actual, wanted) => actual <= wanted),
    [`${prefix}GreaterThan`]: operator((actual, wanted) => actual > wanted),
    [`${prefix}GreaterThanEquals`]: operator((actual, wanted) => actual >= wanted),
  };
}

function parseNumber(text: string): number | undefined {
  return /^[+-]?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
}

/** Milliseconds since 1970 of an ISO 8601 date or of nine- or ten-digit seconds since 1970. */
function parseDate(text: string): number | undefined {
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1000;
  const found = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(text);
  if (found === null || !isDay(text)) return undefined;
  const ms = Date.parse(found[1] === undefined ? `${text}T00:00:00Z` : text);
  return Number.isNaN(ms) ? undefined : ms;
}

function compileCidr(wanted: string): Test | undefined {
  const range = parseIpRange(wanted);
  if (range === undefined) return undefined;
  return (value) => {
    const actual = value.as(parseIpAddress);
    return actual !== undefined && range(actual);
  };
}
