type Container = unknown[] | { [key: string]: unknown };

/** Of valid JSON: a key with its colon, a string, or what is neither. White space lies between. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\],]|[^\s"{}[\],]+/g;

/** A key or a string with an escape in it. */
const ESCAPED = /"[^"\\]*(?:\\.[^"\\]*)+"(?:\s*:)?/g;

/**
 * `JSON.parse` as ECMAScript defines it, errors included. V8 12.8 and later, that is Node.js 24 and Chromium, reads a key
 * that is written with an escape as another key, when an object like it once had that key with a backslash in it
 * (nodejs/node#63785): text with such keys is read here instead.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes('\\') && hasEscapedKey(text) ? read(text) : value;
}

function hasEscapedKey(text: string): boolean {
  for (const [string] of text.matchAll(ESCAPED)) if (string.endsWith(':')) return true;
  return false;
}

/** What `text`, which is valid JSON, says; without recursion, so that it may nest as deep as JSON.parse lets it. */
function read(text: string): unknown {
  const whole: unknown[] = [];
  const around: Container[] = [];
  let container: Container = whole;
  let key = '';
  const put = (value: unknown) => {
    if (Array.isArray(container)) container.push(value);
    else Object.defineProperty(container, key, { value, configurable: true, enumerable: true, writable: true });
  };
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      const inner: Container = token === '{' ? {} : [];
      put(inner);
      around.push(container);
      container = inner;
    } else if (token === '}' || token === ']') {
      container = around.pop() ?? whole;
    } else if (token.endsWith(':')) {
      key = JSON.parse(token.slice(0, -1)) as string;
    } else if (token !== ',') {
      put(JSON.parse(token));
    }
  }
  return whole[0];
}
