/**
 * Text that others wrote, on one line and with nothing that a terminal or a log reader would act on: controls, separators,
 * and the format characters that hide or reorder what is shown.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
}
