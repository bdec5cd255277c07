import { shown, withoutCredentials } from '../text.ts';

export const DAY_MS = 86_400_000;
export const KIBIBYTE = 1_024;
export const MEBIBYTE = 1_048_576;

/** One setting: the flag, the variable, the documentation and the check all come from this row. */
export interface Setting<Value> {
  readonly default: Value;
  /** Completes "must be …", in the documentation of the value as well as in the message about a bad one. */
  readonly rule: string;
  /** The word that stands for the value in a usage line. */
  readonly placeholder: string;
  /** A secret comes only from a variable or a file, so that it never shows in a process list, and it is never printed. */
  readonly isSecret: boolean;
  readonly help: string;
  /** Reads the value from `text`; undefined when `text` breaks the rule. */
  readonly parse: (text: string) => Value | undefined;
  /** What is wrong with a text that breaks the rule, and what to write instead, where that can be told. */
  readonly advise?: (text: string) => string | undefined;
}

/** The parsed values of rows. */
export type ValuesOf<Rows> = {
  readonly [Key in keyof Rows]: Rows[Key] extends Setting<infer Value> ? Value : never;
};

type RowOf<Value> = Pick<Setting<Value>, 'default' | 'help'>;

export function text<Default extends string | undefined>({
  default: value,
  rule,
  pattern,
  help,
}: RowOf<Default> & { rule: string; pattern: RegExp }): Setting<string | Default> {
  return {
    default: value,
    rule,
    placeholder: 'text',
    isSecret: false,
    help,
    parse: (given) => (pattern.test(given) ? given : undefined),
  };
}

/** A path of nothing but blanks is a mistake, such as that of a script whose variable is not set. */
export const PATH = { rule: 'a path that is not blank', pattern: /^[^\0]*[^\0\s][^\0]*$/ };

/** The path of a file. Whether the file can be read is found out where it is used. */
export function file({ help }: { help: string }): Setting<string | undefined> {
  return { ...text({ default: undefined, ...PATH, help }), placeholder: 'file' };
}

export function secret(row: { rule: string; pattern: RegExp; help: string }): Setting<string | undefined> {
  return { ...text({ default: undefined, ...row }), isSecret: true };
}

/** A whole number from `min` to `max`, in decimal digits and without a sign. */
export function integer<Default extends number | undefined>({
  default: value,
  min,
  max,
  help,
}: RowOf<Default> & { min: number; max: number }): Setting<number | Default> {
  return {
    default: value,
    rule: `${min}-${max}`,
    placeholder: 'number',
    isSecret: false,
    help,
    parse(given) {
      const number = Number(given);
      return /^\d{1,15}$/.test(given) && number >= min && number <= max ? number : undefined;
    },
  };
}

export function choice<Choice extends string>({
  default: value,
  choices,
  help,
}: RowOf<NoInfer<Choice>> & { choices: readonly Choice[] }): Setting<Choice> {
  return {
    default: value,
    rule: choices.join(', ').replace(/, (?=\w+$)/, ' or '),
    placeholder: 'word',
    isSecret: false,
    help,
    parse: (given) => choices.find((candidate) => candidate === given),
  };
}

/** Items separated by commas. White space around an item does not count, and there may be no item. */
export function list({
  rule,
  isItem,
  adviseOnItem = () => undefined,
  help,
}: {
  rule: string;
  isItem: (item: string) => boolean;
  /** Completes `"…"`, an item that breaks the rule. */
  adviseOnItem?: (item: string) => string | undefined;
  help: string;
}): Setting<readonly string[]> {
  const itemsOf = (given: string) => given.split(',').map((item) => item.trim());
  return {
    default: Object.freeze([]),
    rule,
    placeholder: 'list',
    isSecret: false,
    help,
    parse(given) {
      const items = itemsOf(given);
      if (given.trim() === '') return Object.freeze([]);
      return items.every(isItem) ? Object.freeze(items) : undefined;
    },
    advise(given) {
      const item = itemsOf(given).find((candidate) => !isItem(candidate)) ?? '';
      const advice = adviseOnItem(item);
      return advice === undefined ? undefined : `${shown(withoutCredentials(item))} ${advice}`;
    },
  };
}

/** A setting with the names by which operators set it. */
export interface NamedSetting<Key extends string = string> extends Setting<unknown> {
  readonly key: Key;
  /** The variable. A secret may also be in a file, whose path is in the same variable with `_FILE` appended. */
  readonly env: string;
  /** The flag, such as `--max-games`; secrets have none. */
  readonly flag: string | undefined;
}

export function named<Key extends string>(key: Key, row: Setting<unknown>): NamedSetting<Key> {
  return { ...row, key, env: variableOf(key), flag: row.isSecret ? undefined : `--${toKebabCase(key)}` };
}

/** The variable of a setting: `RESPARK_MAX_GAMES` for `maxGames`. */
export function variableOf(key: string): string {
  return `RESPARK_${toKebabCase(key).replaceAll('-', '_').toUpperCase()}`;
}

function toKebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
