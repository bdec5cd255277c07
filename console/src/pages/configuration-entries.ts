import type { Inputs, Outputs } from '../api/operations.ts';

type Sections = NonNullable<Outputs['GetGameConfiguration']['GameConfiguration']>['Sections'];
type Modification = Inputs['UpdateGameConfiguration']['Modifications'][number];

/** A named part of a section: a message, a shape, or a handler, of which only the script is edited. */
export interface Entry {
  readonly section: string;
  readonly name: string;
  readonly value: unknown;
  readonly isScript: boolean;
}

/** The sections in the order in which people work on them; any others come last. */
const ORDER = ['RequestHandlers', 'EventHandlers', 'Requests', 'Events', 'Notifications', 'Model'].map(
  (name) => `GameSparks.Core.${name}`,
);
const SCRIPT = 'Javascript_ES5_1';

export function entriesOf(sections: Sections = {}): readonly Entry[] {
  const rank = (section: string) => (ORDER.includes(section) ? ORDER.indexOf(section) : ORDER.length);
  return Object.entries(sections)
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .flatMap(([section, { Attributes }]) =>
      Object.entries(isObject(Attributes) ? Attributes : {}).map(([name, value]) => ({
        section,
        name,
        value,
        isScript: /Handlers$/.test(section) && scriptOf(value) !== undefined,
      })),
    );
}

export function entryAt(sections: Sections, { section, name }: Entry): Entry | undefined {
  return entriesOf(sections).find((each) => each.section === section && each.name === name);
}

/** The name of the section without its owner's, where that is the usual one. */
export const shortSection = ({ section }: Pick<Entry, 'section'>) => section.replace('GameSparks.Core.', '');

/** What the editor shows. */
export function textOf({ value, isScript }: Entry): string {
  return isScript ? (scriptOf(value) ?? '') : JSON.stringify(value, null, 2);
}

/** The value of the entry with this text from the editor. Of a handler, only the script changes. */
export function changedValue({ value, isScript }: Entry, text: string): unknown {
  if (!isScript) return JSON.parse(text);
  const handler = isObject(value) ? value : {};
  return { ...handler, Code: { ...(isObject(handler.Code) ? handler.Code : {}), Script: text } };
}

/** As a JSON Pointer. */
export const pathOf = ({ name }: Pick<Entry, 'name'>) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

export const MESSAGE_KINDS = ['Request', 'Event', 'Notification'] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/**
 * The changes that make a working message: its shapes, the message and, if players send it, a handler. What is there
 * already stays.
 */
export function newMessage(kind: MessageKind, name: string, sections: Sections): readonly Modification[] {
  const known = new Set(entriesOf(sections).map((entry) => `${entry.section}${pathOf(entry)}`));
  const add = (section: string, entry: string, Value: unknown): Modification[] =>
    known.has(`GameSparks.Core.${section}${pathOf({ name: entry })}`)
      ? []
      : [{ Section: `GameSparks.Core.${section}`, Operation: 'ADD', Path: pathOf({ name: entry }), Value }];
  const empty = { Structure: { Fields: {} } };
  const text = { Shape: 'String', Cardinality: 'Required' };
  const handler = (Script: string) => ({ Enabled: true, Code: { Script, ScriptLanguage: SCRIPT } });
  if (kind === 'Event') {
    return [
      ...add('Model', `${name}Event`, empty),
      ...add('Events', name, { AllowedSources: ['Player'], EventShape: `${name}Event` }),
      ...add('EventHandlers', name, handler("GameSparks().Logging().Info('it happened');\n")),
    ];
  }
  if (kind === 'Notification') {
    return [
      ...add('Model', `${name}Notification`, { Structure: { Fields: { Text: text } } }),
      ...add('Notifications', name, { NotificationShape: `${name}Notification` }),
    ];
  }
  const shapes = [
    ...add('Model', `${name}Request`, { Structure: { Fields: { Name: text } } }),
    ...add('Model', `${name}Response`, { Structure: { Fields: { Text: text } } }),
  ];
  // Shapes that were there before may have other fields.
  const response = shapes.length === 2 ? "{ Text: 'Hello ' + message.Name }" : '{}';
  return [
    ...shapes,
    ...add('Requests', name, {
      AllowedSources: ['Player'],
      RequestShape: `${name}Request`,
      ResponseShape: `${name}Response`,
    }),
    ...add('RequestHandlers', name, handler(`return GameSparks().Messaging().Response(${response});\n`)),
  ];
}

/** The entry to go on with once the message is made: its handler, or its shape if it has none. */
export function firstEntryOf(kind: MessageKind, name: string): Pick<Entry, 'section' | 'name'> {
  return kind === 'Notification'
    ? { section: 'GameSparks.Core.Model', name: `${name}Notification` }
    : { section: `GameSparks.Core.${kind}Handlers`, name };
}

function scriptOf(value: unknown): string | undefined {
  const code = isObject(value) ? value.Code : undefined;
  const script = isObject(code) ? code.Script : undefined;
  return typeof script === 'string' ? script : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
