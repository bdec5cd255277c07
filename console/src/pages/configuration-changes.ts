import { type Entry, entriesOf, textOf } from './configuration-entries.ts';

/** What has become of an entry since a snapshot. */
export interface Change {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly entry: Entry;
  /** The texts that differ: a handler may have another script, other settings, or both. */
  readonly texts: readonly { readonly before: string; readonly after: string }[];
}

type Sections = Parameters<typeof entriesOf>[0];

/** The entries in which two configurations differ, in the order in which people work on them. */
export function changesBetween(before: Sections, after: Sections): readonly Change[] {
  const known = new Map(entriesOf(before).map((entry) => [keyOf(entry), entry]));
  const changes = entriesOf(after).flatMap((entry): Change[] => {
    const earlier = known.get(keyOf(entry));
    known.delete(keyOf(entry));
    if (earlier === undefined) return [{ kind: 'added', entry, texts: textsOf(undefined, entry) }];
    const texts = textsOf(earlier, entry);
    return texts.length === 0 ? [] : [{ kind: 'changed', entry, texts }];
  });
  const removed = [...known.values()].map(
    (entry): Change => ({ kind: 'removed', entry, texts: textsOf(entry, undefined) }),
  );
  return [...changes, ...removed];
}

const keyOf = ({ section, name }: Entry) => JSON.stringify([section, name]);

function textsOf(before: Entry | undefined, after: Entry | undefined): Change['texts'] {
  const [script, rest] = [before, after].map(partsOf).reduce<[string[], string[]]>(
    ([scripts, rests], parts) => [
      [...scripts, parts.script],
      [...rests, parts.rest],
    ],
    [[], []],
  );
  return [script, rest]
    .map(([left = '', right = '']) => ({ before: left, after: right }))
    .filter((each) => each.before !== each.after);
}

/** A script is compared as it is, and everything else as JSON in which the order of names does not count. */
function partsOf(entry: Entry | undefined): { script: string; rest: string } {
  if (entry === undefined) return { script: '', rest: '' };
  const script = entry.isScript ? textOf(entry) : '';
  const rest = entry.isScript ? withoutScript(entry.value) : entry.value;
  return { script, rest: JSON.stringify(sorted(rest), null, 2) };
}

function withoutScript(value: unknown): unknown {
  const { Code: code, ...handler } = value as { readonly Code: Readonly<Record<string, unknown>> };
  const { Script: _, ...rest } = code;
  return { ...handler, Code: rest };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, sorted(each)]),
  );
}
