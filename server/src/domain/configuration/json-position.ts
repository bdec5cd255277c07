export interface TextPosition {
  /** Both counted from 1. */
  readonly line: number;
  readonly column: number;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;
const SPACE = /\s*/y;
const JSON_SPACE = /[ \t\r\n]*/y;

/**
 * Where a value stands in JSON text: that of the last of `keys` that there is, of a member its key. The text must be JSON.
 */
export function positionIn(text: string, keys: readonly string[]): TextPosition {
  return positionAt(text, offsetOf(text, keys));
}

function positionAt(text: string, offset: number): TextPosition {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: before.length - before.lastIndexOf('\n') };
}

/** Where text stops being JSON; undefined when it is. */
export function findJsonFault(text: string): TextPosition | undefined {
  try {
    const end = afterSpace(text, endOfJson(text, 0, 0));
    return end === text.length ? undefined : positionAt(text, end);
  } catch (error) {
    if (error instanceof JsonFault) return positionAt(text, error.offset);
    throw error;
  }
}

class JsonFault extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super('this is not JSON');
    this.offset = offset;
  }
}

/** No person writes JSON that nests deeper, and the stack has an end. */
const MAX_DEPTH = 500;
const JSON_STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const JSON_SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/** Throws a JsonFault, at the beginning of the word that is wrong. */
function endOfJson(text: string, from: number, depth: number): number {
  const at = afterSpace(text, from);
  const isList = text[at] === '[';
  if (!isList && text[at] !== '{') return expect(text[at] === '"' ? JSON_STRING : JSON_SCALAR, text, at);
  if (depth === MAX_DEPTH) throw new JsonFault(at);
  const closing = isList ? ']' : '}';
  let next = afterSpace(text, at + 1);
  if (text[next] === closing) return next + 1;
  for (;;) {
    if (!isList) {
      next = afterSpace(text, expect(JSON_STRING, text, next));
      if (text[next] !== ':') throw new JsonFault(next);
      next += 1;
    }
    next = afterSpace(text, endOfJson(text, next, depth + 1));
    if (text[next] === closing) return next + 1;
    if (text[next] !== ',') throw new JsonFault(next);
    next = afterSpace(text, next + 1);
  }
}

function expect(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  if (!pattern.test(text)) throw new JsonFault(at);
  return pattern.lastIndex;
}

function afterSpace(text: string, at: number): number {
  return expect(JSON_SPACE, text, at);
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
