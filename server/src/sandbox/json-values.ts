const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [LIST, LIST_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Whether a JSON text without white space has more than `max` values: itself, and the items and members of all lists
 * and objects. The cost of reading a text depends on its values much more than on its bytes.
 */
export function hasMoreValues(json: string, max: number): boolean {
  // Every value but the first takes at least two characters.
  if (json.length < 2 * max) return false;
  let count = 1;
  for (let at = 0; at < json.length && count <= max; at += 1) {
    const next = json.charCodeAt(at + 1);
    switch (json.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(json, at);
        break;
      case COMMA:
        count += 1;
        break;
      case LIST:
        if (next !== LIST_END) count += 1;
        break;
      case OBJECT:
        if (next !== OBJECT_END) count += 1;
        break;
    }
  }
  return count > max;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charCodeAt(at) !== QUOTE) at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
