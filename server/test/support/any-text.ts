import fc from 'fast-check';

const [FIRST_SURROGATE, SURROGATES] = [0xd800, 0x800];

const anyCharacter = fc.nat(0x10_ffff - SURROGATES).map(
  (place) => String.fromCodePoint(place < FIRST_SURROGATE ? place : place + SURROGATES),
  // With this inverse, fast-check can try words such as __proto__, and shrink.
  (text) => {
    if (typeof text !== 'string' || !/^\P{Surrogate}$/su.test(text)) throw new Error('not one character');
    const point = text.codePointAt(0) ?? 0;
    return point < FIRST_SURROGATE ? point : point - SURROGATES;
  },
);

/** Text of any characters. It is what fast-check's own unit `binary` gives, which takes a second to make. */
export function anyText({ maxLength }: { maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.string({ unit: anyCharacter, ...(maxLength === undefined ? {} : { maxLength }) });
}
