import { useState } from 'preact/hooks';
import { t } from '../texts/language.ts';

/** How much of a long text is shown at first, and how much at most. */
const SHORT = 400;
const LONG = 20_000;
const SHORT_ID = 12;

/**
 * What has no shape of its own, moves other characters about, or ends a line where a table has none. What makes one emoji
 * of several is let through, and only between them.
 */
const INVISIBLE = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu;

const IN_EMOJI = ['\ufe0f', '\u200d'];

/** The text with each character that could not be seen, or would move others, as its number. */
export function visible(text: string, { keepsLines = false } = {}): string {
  return text.replace(INVISIBLE, (char, offset: number) => {
    if (keepsLines && (char === '\n' || char === '\t')) return char;
    if (IN_EMOJI.includes(char) && isInEmoji(text, offset)) return char;
    return `‹${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}

function isInEmoji(text: string, offset: number): boolean {
  const before = /(\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})$/u.test(
    text.slice(Math.max(0, offset - 4), offset),
  );
  return (
    before && (text[offset] === '\ufe0f' || /^\p{Extended_Pictographic}/u.test(text.slice(offset + 1, offset + 5)))
  );
}

/** No more than three marks on one letter: a pile of them would cover the lines above and below. */
const tamed = (text: string) => text.replace(/(\p{Mark}{3})\p{Mark}+/gu, '$1…');

/** Before each word of a name in camel case. */
export const CAMEL_CASE = /(?<=[a-z])(?=[A-Z])/;
/** Between the parts of a time in an id, as snapshots have it. */
const TIME_IN_ID = /(?<=_|\dT)(?=\d)|(?=\.\d)/;

/** The text, where a line may end at what matches. */
export const breakable = (text: string, breaks: RegExp) =>
  text.split(breaks).map((part, index) => (index === 0 ? part : [<wbr key={index} />, part]));

/** A name, a reason, a line of a log: text that others wrote, which must neither act as ours nor hide what it is. */
export function Untrusted({
  text,
  keepsLines = false,
  isWhole = false,
  breaks,
}: {
  text: string;
  keepsLines?: boolean;
  /** Whether the page is about this text, so that all of it is shown at once. */
  isWhole?: boolean;
  /** Where a narrow column had better end a line. */
  breaks?: RegExp;
}) {
  const [isLong, setLong] = useState(isWhole);
  const limit = isLong ? LONG : SHORT;
  const shown = tamed(visible(text.slice(0, limit), { keepsLines }));
  return (
    <bdi class={keepsLines ? 'untrusted lines' : 'untrusted'}>
      {breaks === undefined ? shown : breakable(shown, breaks)}
      {text.length > limit && '…'}
      {text.length > SHORT && !isLong && (
        <button type="button" class="link" onClick={() => setLong(true)}>
          {t('showMore', { n: text.length })}
        </button>
      )}
    </bdi>
  );
}

/** From how many characters on an id is shortened in the middle, and what is left of it at each end. */
const MIDDLE = { longest: 16, ends: [7, 5] } as const;

/**
 * An id, which people read letter by letter and copy. Those that begin with a time are told apart by their end; of others
 * both ends are left, where a column has no room for all of it.
 */
export function Id({ id, isShort = false }: { id: string; isShort?: boolean | 'middle' | undefined }) {
  const isMiddle = isShort === 'middle';
  const [first, last] = isMiddle ? MIDDLE.ends : [0, SHORT_ID];
  if (!isShort || id.length <= (isMiddle ? MIDDLE.longest : SHORT_ID)) {
    return (
      <code class="id">
        <Untrusted text={id} breaks={TIME_IN_ID} />
      </code>
    );
  }
  return (
    <code class="id whole" title={visible(id)}>
      <Untrusted text={`${id.slice(0, first)}…${id.slice(-last)}`} />
    </code>
  );
}
