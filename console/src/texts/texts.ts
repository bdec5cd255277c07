import { ACTION_TEXTS } from './actions.ts';
import { CHANGE_TEXTS } from './changes.ts';
import { DONE_TEXTS } from './done.ts';
import { HARNESS_TEXTS } from './harness.ts';
import { JOB_TEXTS } from './jobs.ts';
import { KEY_TEXTS } from './keys.ts';
import { PLAIN_TEXTS } from './plain.ts';
import { PLAYER_DATA_TEXTS } from './player-data.ts';
import { WEBHOOK_TEXTS } from './webhooks.ts';

type Texts = Readonly<Record<string, readonly [english: string, german: string]>>;

/** The parts, no two of which may have a text of the same name: the later one would be shown for both. */
export const PARTS: readonly Texts[] = [
  PLAIN_TEXTS,
  ACTION_TEXTS,
  JOB_TEXTS,
  HARNESS_TEXTS,
  KEY_TEXTS,
  CHANGE_TEXTS,
  WEBHOOK_TEXTS,
  PLAYER_DATA_TEXTS,
  DONE_TEXTS,
];

/** Every text of the console, in every language. `{name}` is replaced by a value. */
export const TEXTS = {
  ...PLAIN_TEXTS,
  ...ACTION_TEXTS,
  ...JOB_TEXTS,
  ...HARNESS_TEXTS,
  ...KEY_TEXTS,
  ...CHANGE_TEXTS,
  ...WEBHOOK_TEXTS,
  ...PLAYER_DATA_TEXTS,
  ...DONE_TEXTS,
} as const satisfies Texts;
