/**
 * `JSON.parse` as ECMAScript defines it, errors included. V8 12.8 and later (Node.js 24, Chromium) can read a key that
 * is written with an escape as a different key, namely when it has read a similar object whose key contained a
 * backslash (nodejs/node#63785). Text with escaped keys is therefore read by this file's own parser.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes('\\') && hasEscapedKey(text) ? read(text) : value;
}

// The functions below are only given text that is valid JSON.

function hasEscapedKey(text: string): boolean {
  const colon = /\s*:/y;
  for (let start = text.indexOf('"'); start !== -1; ) {
    const end = endOfString(text, start);
    colon.lastIndex = end + 1;
    if (colon.test(text) && text.slice(start, end).includes('\\')) return true;
    start = text.indexOf('"', end + 1);
  }
  return false;
}

/** The position of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = start + 1; ; end += 1) {
    end = text.indexOf('"', end);
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}

/** Reads without recursion, so that text may nest as deep as JSON.parse allows. */
function read(text: string): unknown {
  type Container = unknown[] | { [key: string]: unknown };
  const whole: unknown[] = [];
  const around: Container[] = [];
  let container: Container = whole;
  /** The key of the member whose value comes next. */
  let key: string | undefined;
  const number = /[-+.\deE]+/y;

  function put(value: unknown): void {
    if (Array.isArray(container)) {
      container.push(value);
      return;
    }
    const member = key ?? '';
    // An assignment to `__proto__` would not create a member, and this takes ten times as long.
    if (member === '__proto__') {
      Object.defineProperty(container, member, { value, configurable: true, enumerable: true, writable: true });
    } else container[member] = value;
    key = undefined;
  }

  function enter(inner: Container): void {
    put(inner);
    around.push(container);
    container = inner;
  }

  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '{':
        enter({});
        break;
      case '[':
        enter([]);
        break;
      case '}':
      case ']':
        container = around.pop() ?? whole;
        break;
      case '"': {
        const end = endOfString(text, at);
        const written = text.slice(at + 1, end);
        const string = written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
        if (key === undefined && !Array.isArray(container)) key = string;
        else put(string);
        at = end;
        break;
      }
      case 't':
        put(true);
        at += 'rue'.length;
        break;
      case 'f':
        put(false);
        at += 'alse'.length;
        break;
      case 'n':
        put(null);
        at += 'ull'.length;
        break;
      case ' ':
      case '\t':
      case '\n':
      case '\r':
      case ',':
      case ':':
        break;
      default: {
        number.lastIndex = at;
        const [digits] = number.exec(text) as RegExpExecArray;
        put(Number(digits));
        at += digits.length - 1;
      }
    }
  }
  return whole[0];
}
