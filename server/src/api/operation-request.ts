import { ServiceError } from '../errors.ts';
import { type Operation, wholeInput } from './operation.ts';
import type { Shape } from './shape.ts';
import { excerptOf, parse } from './validation.ts';

/** An operation's input as it is on the wire: a blob is base64, a time is ISO 8601. */
export type Input = Readonly<Record<string, unknown>>;

/**
 * Returns where a call goes and what it carries: the reverse of `readInput`, for every client of ours, browsers
 * included. Throws a `validation` ServiceError that lists what the operation would refuse, and the members that it does
 * not have. The API ignores such members, but their author must have meant something by them.
 */
export function requestOf(
  operation: Pick<Operation, 'name' | 'http' | 'input' | 'additions'>,
  input: Input,
): { readonly path: `/${string}`; readonly body: string | undefined } {
  checkInput(operation, input);
  const members = Object.entries(wholeInput(operation).members);
  const given = members.flatMap(([name, { location }]) => {
    const value = Object.hasOwn(input, name) ? input[name] : undefined;
    return value === undefined || value === null ? [] : [{ name, location, value }];
  });
  const at = (place: Shape['location']) => given.filter(({ location }) => location === place);
  const labels = new Map(at('uri').map(({ name, value }) => [name, encodeURIComponent(String(value))]));
  const path = operation.http.path.replace(/\{(\w+)\}/g, (_, name: string) => labels.get(name) ?? '');
  const query = at('querystring')
    .flatMap(({ name, value }) => [value].flat().map((item) => `${name}=${encodeURIComponent(String(item))}`))
    .join('&');
  const body = Object.fromEntries(at(undefined).map(({ name, value }) => [name, value]));
  const takesBody = Object.values(operation.input.members).some(({ location }) => location === undefined);
  const hasBody = takesBody || Object.keys(body).length > 0;
  return {
    path: `${path as `/${string}`}${query === '' ? '' : '?'}${query}`,
    body: hasBody ? JSON.stringify(body) : undefined,
  };
}

function checkInput(operation: Pick<Operation, 'name' | 'input' | 'additions'>, input: Input): void {
  const { name } = operation;
  const shape = wholeInput(operation);
  const faults = [
    ...unknownMembers(shape, input, '').map((path) => `there is no member ${path}`),
    // Every URL parser takes these for steps in the path, even when they are percent-encoded.
    ...Object.entries(input)
      .filter(([member, value]) => shape.members[member]?.location === 'uri' && /^\.\.?$/.test(String(value)))
      .map(([member, value]) => `${member} must not be '${value}'`),
  ];
  try {
    parse(shape, input);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    faults.push(error.message);
  }
  if (faults.length === 0) return;
  throw new ServiceError('validation', [`${name} cannot be called with this input:`, ...faults].join('\n  '));
}

/** Paths of the members that the shape does not have. */
function unknownMembers(shape: Shape, value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  switch (shape.type) {
    case 'structure':
      return Object.entries(value).flatMap(([name, item]) => {
        const memberPath = path === '' ? name : `${path}.${name}`;
        const member = Object.hasOwn(shape.members, name) ? shape.members[name] : undefined;
        return member === undefined ? [excerptOf(memberPath)] : unknownMembers(member, item, memberPath);
      });
    case 'list':
      return [value].flat().flatMap((item, index) => unknownMembers(shape.member, item, `${path}[${index}]`));
    default:
      return [];
  }
}
