/** How many bytes a text takes in UTF-8. Not every React Native has a TextEncoder. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair takes two of the pair's four bytes; half a pair alone is sent as U+FFFD.
    const isPair = unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) at += 1;
    bytes += unit < 0x800 ? 1 : 2;
  }
  return bytes;
}
