import type { Inputs } from '../api/operations.ts';
import { type Entry, entriesOf, pathOf } from './configuration-entries.ts';

type Sections = Parameters<typeof entriesOf>[0];
type Modification = Inputs['UpdateGameConfiguration']['Modifications'][number];

/** What goes when a message is deleted. */
export interface Deletion {
  /** The message and its handler, as far as they are there. */
  readonly message: readonly Entry[];
  /** Shapes that nothing uses but the message. */
  readonly shapes: readonly Entry[];
  /** Names of the shapes that others use too. */
  readonly sharedShapes: readonly string[];
  /** The other handlers whose scripts have its name in quotes, as those that send it do. */
  readonly mentions: readonly Entry[];
}

const MODEL = 'GameSparks.Core.Model';

/** The sections in which a message has its parts. */
const PARTS = [['Requests', 'RequestHandlers'], ['Events', 'EventHandlers'], ['Notifications']].map((names) =>
  names.map((name) => `GameSparks.Core.${name}`),
);

/** The sections of the message that the entry is a part of; undefined for what is part of none, such as a shape. */
const sectionsOf = ({ section }: Pick<Entry, 'section'>) => PARTS.find((sections) => sections.includes(section));

export const isOfMessage = (entry: Pick<Entry, 'section'>) => sectionsOf(entry) !== undefined;

/** What is deleted with the message that the entry is a part of, in the order in which it is shown elsewhere. */
export function deletionOf(sections: Sections, of: Pick<Entry, 'section' | 'name'>): Deletion {
  const all = entriesOf(sections);
  const message = all.filter(({ section, name }) => name === of.name && sectionsOf(of)?.includes(section));
  const model = new Map(all.filter(({ section }) => section === MODEL).map((entry) => [entry.name, entry]));
  const used = usedBy(message, model);
  const own = ownOf(
    used,
    model,
    all.filter((entry) => entry.section !== MODEL && !message.includes(entry)),
  );
  return {
    message,
    shapes: [...own].flatMap((name) => model.get(name) ?? []),
    sharedShapes: [...used].filter((name) => !own.has(name)),
    mentions: all.filter((entry) => !message.includes(entry) && mentions(entry, of.name)),
  };
}

/** All shapes of the model that the entries lead to. */
function usedBy(entries: readonly Entry[], model: ReadonlyMap<string, Entry>): ReadonlySet<string> {
  const used = new Set<string>();
  const waiting = entries.flatMap(({ value }) => shapesIn(value));
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const shape = model.get(name);
    if (shape === undefined || used.has(name)) continue;
    used.add(name);
    waiting.push(...shapesIn(shape.value));
  }
  return used;
}

/** The used shapes to which neither these entries nor a shape that stays leads. */
function ownOf(used: ReadonlySet<string>, model: ReadonlyMap<string, Entry>, others: readonly Entry[]) {
  const staying = [...model.values()].filter(({ name }) => !used.has(name));
  const shared = usedBy([...others, ...staying], model);
  return new Set([...used].filter((name) => !shared.has(name)));
}

/** The shapes that the value names, also in sections that the console does not know. */
function shapesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    typeof each === 'string' ? (key.endsWith('Shape') ? [each] : []) : shapesIn(each),
  );
}

function mentions({ isScript, value }: Entry, name: string): boolean {
  if (!isScript) return false;
  const script = String((value as { readonly Code: { readonly Script?: unknown } }).Code.Script);
  return ["'", '"', '`'].some((quote) =>
    ['', 'Custom.Game.'].some((prefix) => script.includes(`${quote}${prefix}${name}${quote}`)),
  );
}

/** Everything that would be deleted, as a text, so that a person who has looked at one state of it deletes no other. */
export const stateOf = ({ message, shapes }: Deletion) =>
  JSON.stringify([...message, ...shapes].map(({ section, name, value }) => [section, name, value]));

export const removalOf = ({ section, name }: Entry): Modification => ({
  Section: section,
  Operation: 'REMOVE',
  Path: pathOf({ name }),
});
