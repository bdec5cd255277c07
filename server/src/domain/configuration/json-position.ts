export interface TextPosition {
  /** Both counted from 1. */
  readonly line: number;
  readonly column: number;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;
const SPACE = /\s*/y;

/**
 * Where a value stands in JSON text: that of the last of `keys` that there is, of a member its key. The text must be JSON.
 */
export function positionIn(text: string, keys: readonly string[]): TextPosition {
  const before = text.slice(0, offsetOf(text, keys));
  const line = before.split('\n').length;
  return { line, column: before.length - before.lastIndexOf('\n') };
}

function offsetOf(text: string, keys: readonly string[]): number {
  let found = skip(SPACE, text, 0);
  let at = found;
  for (const key of keys) {
    const member = findMember(text, at, key);
    if (member === undefined) return found;
    [found, at] = [member.start, member.value];
  }
  return found;
}

/** Where the member begins, and where its value does. */
function findMember(text: string, at: number, key: string): { start: number; value: number } | undefined {
  const isList = text[at] === '[';
  if (!isList && text[at] !== '{') return undefined;
  let next = skip(SPACE, text, at + 1);
  for (let index = 0; text[next] !== (isList ? ']' : '}'); index += 1) {
    const start = next;
    let name = `${index}`;
    if (!isList) {
      const end = skip(STRING, text, next);
      name = JSON.parse(text.slice(next, end)) as string;
      next = skip(SPACE, text, skip(SPACE, text, end) + 1);
    }
    if (name === key) return { start, value: next };
    next = skip(SPACE, text, endOfValue(text, next));
    if (text[next] === ',') next = skip(SPACE, text, next + 1);
  }
  return undefined;
}

function endOfValue(text: string, at: number): number {
  if (text[at] === '"') return skip(STRING, text, at);
  if (text[at] !== '{' && text[at] !== '[') return skip(SCALAR, text, at);
  let depth = 0;
  for (let next = at; ; next += 1) {
    const character = text[next];
    if (character === '"') next = skip(STRING, text, next) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth === 0 || next >= text.length) return next + 1;
  }
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at + 1;
}
