import { parseJson } from '@respark/protocol';
import { ServiceError } from '../../errors.ts';
import { excerpt, MAX_SENTENCE_CHARACTERS, shown } from '../../text.ts';
import { compileWildcard } from '../wildcard.ts';
import { isOtherService } from './other-services.ts';
import { type Condition, type ConditionContext, ConditionFault, compileCondition } from './policy-conditions.ts';

/** IAM's limit for managed policies. Unlike IAM, the server counts white space. */
const MAX_POLICY_CHARACTERS = 6144;

/** A policy document, compiled. */
export interface Policy {
  readonly statements: readonly Statement[];
}

export interface Statement {
  /** Empty for a statement without one. */
  readonly sid: string;
  readonly effect: 'Allow' | 'Deny';
  /** The actions that the statement is about, with NotAction resolved. */
  readonly actions: Pick<ReadonlySet<string>, 'has'>;
  /**
   * What the statement will be about when a later version has more actions: those that it names now, more of them, since
   * it has wildcards or NotAction, or all.
   */
  readonly later: 'named' | 'more' | 'all';
  coversResources(resources: readonly string[]): boolean;
  /** Whether it covers each resource that there is, and calls without one. */
  readonly isEverywhere: boolean;
  /** The games and stages that its Resource names whole, without wildcards. */
  readonly places: readonly NamedPlace[];
  readonly conditions: readonly NamedCondition[];
}

/** A game, or one of its stages. */
export interface NamedPlace {
  readonly game: string;
  readonly stage?: string | undefined;
}

/** The name is that of its line in the document, for people. */
type NamedCondition = Condition & { readonly name: string };

export interface ParsedPolicy extends Policy {
  /** Whole sentences about what the document has and the server will never match. */
  readonly warnings: readonly string[];
}

export interface PolicyRequest {
  /** As in `gamesparks:DisconnectPlayer`. */
  action: string;
  /** The ARNs that all name what the operation acts on; none for an operation without a resource. */
  resources: readonly string[];
  context: ConditionContext;
}

export type Decision = { isAllowed: true } | { isAllowed: false; reason: 'explicit_deny' | 'no_allow' };

/** What the root key may do: everything. */
export const ALLOW_ALL: Policy = {
  statements: [
    {
      ...{ sid: '', effect: 'Allow', actions: { has: () => true }, later: 'all' },
      ...{ coversResources: () => true, isEverywhere: true, places: [], conditions: [] },
    },
  ],
};

/**
 * Compiles an IAM policy document: Version 2012-10-17 (never left out, since IAM would then read the older language)
 * and statements of Sid, Effect, Action or NotAction, Resource or NotResource, and Condition. Anything that is unknown
 * or could never work is refused here, so that no part of a stored policy is ever ignored. The exception is what clearly
 * means other services, which policies of an AWS account often do beside ours: their actions everywhere, and their
 * resources in an Allow. Calls of those services do not come here, so such a part can neither allow nor deny anything
 * that does, and it is a warning. `actions` lists every action, such as `gamesparks:DisconnectPlayer`.
 * @throws ServiceError `validation`, naming the place, the value and what is accepted.
 */
export function parsePolicy(text: string, actions: readonly string[]): ParsedPolicy {
  if (text.length > MAX_POLICY_CHARACTERS) {
    fail('The document', `has ${text.length} characters, white space included; ${MAX_POLICY_CHARACTERS} are allowed`);
  }
  const document = getObject('The document', readJson(text), ['Version', 'Statement']);
  if (document.Version !== '2012-10-17') {
    fail('Version', `must be "2012-10-17", got ${shown(document.Version)}`);
  }
  const warnings: string[] = [];
  const statements = [document.Statement]
    .flat()
    .map((value, i) => parseStatement(`Statement[${i}]`, value, actions, warnings));
  if (statements.length === 0) fail('Statement', 'must have at least one statement');
  const sids = statements.map(({ sid }) => sid).filter((sid) => sid !== '');
  const repeated = sids.find((sid, i) => sids.indexOf(sid) !== i);
  if (repeated !== undefined) fail('Statement', `must have a different Sid each time, got ${shown(repeated)} twice`);
  return { statements, warnings };
}

/**
 * IAM's rule: an explicit deny wins, and what nothing allows is denied. A statement's Resource covers a request when any
 * of its ARNs matches, NotResource when none does; a request without a resource counts as `*`, so only `"*"` names it.
 */
export function evaluate(policies: readonly Policy[], request: PolicyRequest): Decision {
  let isAllowed = false;
  for (const { statements } of policies) {
    for (const statement of statements) {
      if (!applies(statement, request)) continue;
      if (statement.effect === 'Deny') return { isAllowed: false, reason: 'explicit_deny' };
      isAllowed = true;
    }
  }
  return isAllowed ? { isAllowed } : { isAllowed, reason: 'no_allow' };
}

/** Whether evaluation may read `resourceTags`; if not, they need not be fetched. */
export function usesResourceTags(policies: readonly Policy[]): boolean {
  return policies.some(({ statements }) =>
    statements.some(({ conditions }) => conditions.some((condition) => condition.usesResourceTags)),
  );
}

function applies(statement: Statement, request: PolicyRequest): boolean {
  return mismatchOf(statement, request) === undefined;
}

/** The first thing for which a statement has nothing to say about a request. */
export type Mismatch = 'action' | 'resource' | NamedCondition;

/** Undefined for a statement that is about the request. */
export function mismatchOf(statement: Statement, { action, resources, context }: PolicyRequest): Mismatch | undefined {
  if (!statement.actions.has(action)) return 'action';
  if (!statement.coversResources(resources)) return 'resource';
  return statement.conditions.find((condition) => !isMet(condition, statement, context));
}

/**
 * IAM never meets a caller without an address, so its rules for absent keys do not answer this: a caller whose address
 * is not known is denied wherever an address could deny, and allowed nowhere that an address is asked for.
 */
function isMet(condition: Condition, { effect }: Statement, context: ConditionContext): boolean {
  if (condition.usesSourceIp && context.sourceIp === undefined) return effect === 'Deny';
  return condition.isMet(context, effect);
}

function parseStatement(path: string, value: unknown, known: readonly string[], warnings: string[]): Statement {
  const elements = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
  const statement = getObject(path, value, elements);
  const { Sid: sid = '', Effect: effect } = statement;
  if (typeof sid !== 'string' || !/^[A-Za-z0-9]*$/.test(sid)) {
    fail(`${path}.Sid`, `must be letters and digits only, got ${shown(sid)}`);
  }
  if (effect !== 'Allow' && effect !== 'Deny') {
    fail(`${path}.Effect`, `must be "Allow" or "Deny", got ${shown(effect)}`);
  }
  const { actions, later, others, isOfOthers } = parseActions(path, statement, known);
  const verb = effect === 'Allow' ? 'allows' : 'denies';
  // Its resources and conditions are those of other services too, and need not be understood.
  if (isOfOthers) {
    warnings.push(`${path} is about other services only (${listed(others)}): it ${verb} nothing here.`);
    const nothing = { coversResources: () => false, isEverywhere: false, places: [] };
    return { sid, effect, actions, later, ...nothing, conditions: [] };
  }
  if (others.length > 0) {
    warnings.push(`${path} names actions of other services (${listed(others)}), which are never called here.`);
  }
  const conditions = 'Condition' in statement ? parseConditions(`${path}.Condition`, statement.Condition) : [];
  return { sid, effect, actions, later, ...parseResources(path, statement, warnings), conditions };
}

function listed(names: readonly string[]): string {
  return names.map((name) => shown(name)).join(', ');
}

interface ParsedActions extends Pick<Statement, 'later'> {
  readonly actions: ReadonlySet<string>;
  /** The patterns that clearly mean other services. */
  readonly others: readonly string[];
  /** Whether the statement is about other services and nothing else. */
  readonly isOfOthers: boolean;
}

function parseActions(path: string, statement: JsonObject, known: readonly string[]): ParsedActions {
  const name = getOneOf(path, statement, 'Action', 'NotAction');
  const named = new Set<string>();
  const others: string[] = [];
  // A document has room for hundreds of patterns, and each is compared with the names of all actions.
  const patterns = [...new Set(getTexts(`${path}.${name}`, statement[name]))];
  for (const pattern of patterns) {
    const matching = pattern === '*' ? known : findActions(pattern, known);
    for (const action of matching) named.add(action);
    if (matching.length > 0) continue;
    const [service = '', action = '', ...rest] = pattern.toLowerCase().split(':');
    if (isOtherService(service) && /^[a-z0-9*?]+$/.test(action) && rest.length === 0) others.push(pattern);
    else {
      fail(
        `${path}.${name}`,
        `${shown(pattern)} matches no action of this service; write one of its actions, such as "gamesparks:DisconnectPlayer", "gamesparks:Get*" or "respark:ListAuditRecords", or "*"`,
      );
    }
  }
  const ours = patterns.filter((pattern) => !others.includes(pattern));
  const gains = name === 'NotAction' || ours.some((pattern) => /[*?]/.test(pattern));
  return {
    actions: name === 'Action' ? named : new Set(known.filter((action) => !named.has(action))),
    later: name === 'Action' && ours.includes('*') ? 'all' : gains ? 'more' : 'named',
    others,
    isOfOthers: name === 'Action' && others.length === patterns.length,
  };
}

/** Known actions → each in lower case. The list of the server is one and the same, and a policy may have hundreds of patterns. */
const lowerCase = new WeakMap<readonly string[], readonly string[]>();

function lowerCaseOf(known: readonly string[]): readonly string[] {
  const made = lowerCase.get(known) ?? known.map((action) => action.toLowerCase());
  lowerCase.set(known, made);
  return made;
}

/** The known actions that match, whatever their case. Like IAM, this accepts no wildcard in the service's name. */
function findActions(pattern: string, known: readonly string[]): readonly string[] {
  const lower = pattern.toLowerCase();
  const service = lower.split(':', 1)[0] ?? '';
  if (/[*?]/.test(service)) return [];
  const names = lowerCaseOf(known);
  const matches = compileWildcard(lower);
  return known.filter((_, index) => {
    const name = names[index] ?? '';
    return name.startsWith(service) && matches(name);
  });
}

function parseResources(
  path: string,
  statement: JsonObject,
  warnings: string[],
): Pick<Statement, 'coversResources' | 'isEverywhere' | 'places'> {
  const name = getOneOf(path, statement, 'Resource', 'NotResource');
  const patterns = getTexts(`${path}.${name}`, statement[name]);
  // Elsewhere the server would deny less, or allow more, than an author meant who has only mistyped a name. With no
  // resource of ours the statement could never work.
  const mayBeOthers =
    name === 'Resource' && statement.Effect === 'Allow' && !patterns.every((pattern) => isOfOtherService(pattern));
  const others = mayBeOthers ? patterns.filter(isOfOtherService) : [];
  if (others.length > 0)
    warnings.push(`${path} names resources of other services (${listed(others)}), none of which is here.`);
  for (const pattern of patterns) if (!others.includes(pattern)) checkResource(`${path}.${name}`, pattern);
  // Wildcards cannot reach beyond their part of an ARN: pattern and ARN have five colons each.
  const tests = patterns.map(compileWildcard);
  const isAnyNamed = (resources: readonly string[]) => resources.some((arn) => tests.some((matches) => matches(arn)));
  const orAll = (resources: readonly string[]) => (resources.length === 0 ? ['*'] : resources);
  if (name === 'NotResource')
    return { coversResources: (resources) => !isAnyNamed(orAll(resources)), isEverywhere: false, places: [] };
  return {
    coversResources: (resources) => isAnyNamed(orAll(resources)),
    isEverywhere: patterns.includes('*'),
    places: patterns.filter((pattern) => !others.includes(pattern)).flatMap(placeOf),
  };
}

/** What of a place the pattern names before its first wildcard; a stage is one only together with its game. */
function placeOf(pattern: string): NamedPlace[] {
  const [, , , , , resource = ''] = pattern.split(':');
  const [keyword, game = '', subkeyword, stage = ''] = resource.split('/');
  const isName = (text: string) => /^[\w-]{1,36}$/.test(text);
  if (keyword !== 'game' || !isName(game)) return [];
  return [{ game, ...(subkeyword === 'stage' && isName(stage) && { stage }) }];
}

/** The games and stages that the policies allow something in and name, each once, in the order of their names. */
export function namedPlaces(policies: readonly Policy[]): readonly { game: string; stages: readonly string[] }[] {
  const found = new Map<string, Set<string>>();
  for (const { effect, places } of policies.flatMap(({ statements }) => statements)) {
    if (effect === 'Deny') continue;
    for (const { game, stage } of places) {
      const stages = found.get(game) ?? new Set();
      if (stage !== undefined) stages.add(stage);
      found.set(game, stages);
    }
  }
  return [...found].sort(byName).map(([game, stages]) => ({ game, stages: [...stages].sort() }));
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

function isOfOtherService(pattern: string): boolean {
  const [arn, partition = '', service = '', ...rest] = pattern.split(':');
  return arn === 'arn' && /^aws[a-z-]*$/.test(partition) && isOtherService(service) && rest.length >= 3;
}

/** Refuses a pattern that no game, stage or player can match: in a Deny it would protect nothing. */
function checkResource(path: string, pattern: string): void {
  if (pattern === '*') return;
  const form =
    '"*" or "arn:aws:gamesparks:REGION:ACCOUNT:game/GAME[/stage/STAGE[/player/PLAYER]]", with * and ? in any part but the service';
  const [arn, partition = '', service, region = '', account = '', resource = '', ...rest] = pattern.split(':');
  if (pattern.includes('${')) {
    fail(path, `policy variables are not supported, got ${shown(pattern)}; write the value itself`);
  }
  if (
    arn !== 'arn' ||
    service !== 'gamesparks' ||
    rest.length > 0 ||
    !compileWildcard(partition)('aws') ||
    !/^[a-z0-9*?-]+$/.test(region) ||
    !/^(\d{12}|[\d?]*\*[\d*?]*|[\d?]{12})$/.test(account) ||
    !isResourcePath(resource)
  ) {
    fail(path, `must be ${form}, got ${shown(pattern)}`);
  }
}

/**
 * Whether the pattern may match a resource. It counts up to its first `*`, which may stand for anything that follows.
 */
function isResourcePath(path: string): boolean {
  if (!/^[\w/*?-]+$/.test(path)) return false;
  const parts = path.split('/');
  const star = parts.findIndex((part) => part.includes('*'));
  const keywords = ['game', 'stage', 'player'];
  const isWellNamed = parts
    .slice(0, star === -1 ? parts.length : star)
    .every((part, i) => (i % 2 === 0 ? compileWildcard(part)(keywords[i / 2] ?? '') : part !== ''));
  return isWellNamed && parts.length <= 6 && (star !== -1 || parts.length % 2 === 0);
}

function parseConditions(path: string, value: unknown): NamedCondition[] {
  return getEntries(path, value).flatMap(([operator, lines]) =>
    getEntries(`${path}.${operator}`, lines).map(([key, wanted]) => {
      const linePath = `${path}.${operator}[${shown(key)}]`;
      try {
        const values = getTexts(linePath, wanted, ['string', 'number', 'boolean']);
        return { ...compileCondition(operator, key, values), name: `${operator} ${key}` };
      } catch (cause) {
        if (cause instanceof ConditionFault) fail(linePath, cause.message, cause);
        throw cause;
      }
    }),
  );
}

type JsonObject = Readonly<Record<string, unknown>>;

function readJson(text: string): unknown {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    fail('The document', `is not JSON: ${excerpt((cause as Error).message, MAX_SENTENCE_CHARACTERS)}`, cause);
  }
  const repeated = findRepeatedName(text);
  if (repeated !== undefined)
    fail('The document', `has ${shown(repeated)} twice in one object; JSON would drop the first`);
  return value;
}

/** A name that one object of `text`, which is valid JSON, has twice: JSON.parse keeps only its last value. */
function findRepeatedName(text: string): string | undefined {
  const objects: Set<string>[] = [];
  for (const [token, name] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') objects.push(new Set());
    else if (token === '}') objects.pop();
    else if (name !== undefined) {
      const names = objects.at(-1);
      const decoded = JSON.parse(name) as string;
      if (names?.has(decoded)) return decoded;
      names?.add(decoded);
    }
  }
  return undefined;
}

function getObject(path: string, value: unknown, elements: readonly string[]): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(path, `must be an object, got ${shown(value)}`);
  }
  const unknown = Object.keys(value).find((name) => !elements.includes(name));
  if (unknown !== undefined) {
    fail(path, `has the unsupported element ${shown(unknown)}; use ${elements.join(', ')}`);
  }
  return value as JsonObject;
}

function getEntries(path: string, value: unknown): readonly [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
    fail(path, `must be an object with at least one member, got ${shown(value)}`);
  }
  return Object.entries(value);
}

function getOneOf<Name extends string>(path: string, statement: JsonObject, ...names: [Name, Name]): Name {
  const present = names.filter((name) => name in statement);
  if (present.length !== 1) {
    fail(path, `must have either ${names.join(' or ')}, got ${present.length === 0 ? 'neither' : 'both'}`);
  }
  return present[0] as Name;
}

/** One value or a list of at least one, as texts. */
function getTexts(path: string, value: unknown, types: readonly string[] = ['string']): readonly string[] {
  const values = [value].flat();
  if (values.length === 0) fail(path, 'must have at least one value, got []');
  const wrong = values.find((one) => !types.includes(typeof one));
  if (wrong !== undefined) fail(path, `must be a ${types.join(' or ')} or a list of them, got ${shown(wrong)}`);
  return values.map(String);
}

function fail(path: string, problem: string, cause?: unknown): never {
  throw new ServiceError(
    'validation',
    `The policy is not valid. ${path}: ${problem}.`,
    cause === undefined ? {} : { cause },
  );
}
