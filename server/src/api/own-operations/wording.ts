import type { FarewellWords } from '../../disconnect-order.ts';
import { TRIMMED_PATTERN } from '../operations/shapes.ts';
import { map, nullable, string } from '../shape.ts';

const message = string({ min: 1, max: 500 });
const locale = string({ min: 2, max: 35, pattern: '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$' });

/**
 * Why players are disconnected or kept out: what they are told, and what the staff know. It is the same in every call
 * that does either.
 */
export const wordingMembers = {
  Evidence: nullable(string({ min: 1, max: 4_096 })),
  Message: nullable(message),
  Messages: nullable(map(locale, message, { min: 1, max: 50 })),
  Reason: nullable(string({ min: 1, max: 64, pattern: TRIMMED_PATTERN })),
} as const;

/** What documentation says of them, once. */
export const WORDING =
  '`Reason` is a code of the game’s for its client, such as `AFK`: 1-64 characters without spaces around them. `Message` is a text for the player, of at most 500 characters; `Messages` has one for each of up to 50 locales such as `en` or `pt-BR`, and `Message` beside it is for all others. `Evidence`, of at most 4,096 characters, is for the staff alone. All four have this form in every call that disconnects players or keeps them out.';

interface WordingInput {
  readonly Evidence?: string | undefined;
  readonly Message?: string | undefined;
  readonly Messages?: Readonly<Record<string, string>> | undefined;
  readonly Reason?: string | undefined;
}

/** As bars have it. */
export function wordingOf({ Evidence, Message, Messages, Reason }: WordingInput) {
  const all = { ...Messages, ...(Message !== undefined && { '': Message }) };
  return { evidence: Evidence, reason: Reason, messages: all };
}

/** As players who are connected hear it; undefined when there is nothing to hear. */
export function farewellOf({ Message, Messages, Reason }: WordingInput): FarewellWords | undefined {
  if ((Reason ?? Message ?? Messages) === undefined) return undefined;
  // The text for all other locales is that of an unknown language.
  if (Message !== undefined && Messages !== undefined)
    return { reason: Reason, messages: { und: Message, ...Messages } };
  return { reason: Reason, message: Message, messages: Messages };
}

/** What documentation says of the bytes of long records, once. */
export const MANY_ON_RECORD =
  'One access key may put 128 KiB a second on record by calls with more than 4,096 bytes of such words, and 4 MiB at once; beyond that such a call is a `ThrottlingException` that changes nothing.';

/** What documentation says of `recordedBytesOf`, once. */
export const LONG_RECORDS =
  'A call whose texts take more than 4,096 bytes of JSON together counts as a write call too, and so do shorter ones beyond 128 KiB a second of an access key (4 MiB at once): the audit log keeps them, and must not be filled at the rate of disconnects. The bytes of long and short ones count together, and beyond that a long one is a `ThrottlingException` that changes nothing.';

/** How much of a call's own words, and of the ids that it lists, the audit record keeps. */
export function recordedBytesOf({ Evidence, Message, Messages, Reason }: WordingInput, ids: object = {}): number {
  return Buffer.byteLength(JSON.stringify({ ...ids, Evidence, Message, Messages, Reason }));
}
