/**
 * Compiles a pattern that a whole text must match: `*` stands for any run of characters, also none, and `?` for any
 * one. Whatever the pattern, time is bounded by the product of both lengths, because only the last `*` is ever tried
 * again.
 */
export function compileWildcard(pattern: string): (text: string) => boolean {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  return (text) => matches(pattern, text);
}

const STAR = 0x2a;
const QUESTION_MARK = 0x3f;

function matches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let starText = 0;
  while (t < text.length) {
    const wanted = pattern.charCodeAt(p); // NaN past the end, which equals nothing
    if (wanted === STAR) {
      star = p++;
      starText = t;
    } else if (wanted === QUESTION_MARK || wanted === text.charCodeAt(t)) {
      p++;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++starText;
    } else {
      return false;
    }
  }
  while (pattern.charCodeAt(p) === STAR) p++;
  return p === pattern.length;
}
