import type { Enumeration, Structure } from '../configuration/model.ts';
import type { GameMessages } from './game-messages.ts';
import { identifiers } from './source-code.ts';

/** Also words that are keywords in some places only: the `@` in front of an identifier never hurts. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `abstract as base bool break byte case catch char checked class const continue decimal default delegate do double else
  enum event explicit extern false finally fixed float for foreach goto if implicit in int interface internal is lock long
  namespace new null object operator out override params private protected public readonly ref return sbyte sealed short
  sizeof stackalloc static string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using virtual
  void volatile while __arglist __makeref __reftype __refvalue
  add alias and args ascending async await by descending dynamic equals extension field file from get global group init into
  join let managed nameof nint not notnull nuint on or orderby partial record remove required scoped select set unmanaged
  value var when where with yield`.split(/\s+/),
);

const MEMBERS_OF_OBJECT = 'Equals Finalize GetHashCode GetType MemberwiseClone ReferenceEquals ToString'.split(' ');

/** What the generated code calls by these names, a nested type must not be called. */
const TYPES_IN_USE: ReadonlySet<string> = new Set([
  ...MEMBERS_OF_OBJECT,
  ...'Action Connection DateTimeOffset Decimal DefaultError Environment IReadOnlyDictionary IReadOnlyList'.split(' '),
  ...'JsonConverter JsonConverterAttribute JsonProperty JsonPropertyAttribute Message Newtonsoft'.split(' '),
  ...'NullValueHandling System TimeSpan'.split(' '),
]);

/** The same of a property. */
const MEMBERS_IN_USE: ReadonlySet<string> = new Set([
  ...MEMBERS_OF_OBJECT,
  'Environment',
  'NullValueHandling',
  'nameof',
]);

/** Every property reserves two names of its class by a prefix. */
const ACCESSOR = /^[gs]et_/;

/** The name as it is written where a keyword would mean something else. */
export function written(identifier: string): string {
  return KEYWORDS.has(identifier) ? `@${identifier}` : identifier;
}

export function methodName(message: { readonly name: string }, kind: 'Request' | 'Event' | 'Notification'): string {
  return kind === 'Notification' ? `SubscribeTo${message.name}Notification` : `Enqueue${message.name}${kind}`;
}

/** The nested type of each shape that becomes one. No member is named as its class, an accessor included, or as another. */
export function typeIdentifiers({ name, requests, events, notifications, shapes }: GameMessages) {
  const taken = new Set([
    name,
    ...requests.map((message) => methodName(message, 'Request')),
    ...events.map((message) => methodName(message, 'Event')),
    ...notifications.map((message) => methodName(message, 'Notification')),
  ]);
  return identifiers(
    [...shapes.keys()],
    (identifier) => TYPES_IN_USE.has(identifier) || ACCESSOR.test(identifier) || taken.has(identifier),
  );
}

/** The property of each field. */
export function propertyIdentifiers({ fields }: Structure, className: string): ReadonlyMap<string, string> {
  return identifiers(
    fields.map(({ name }) => name),
    (identifier) => identifier === className || MEMBERS_IN_USE.has(identifier) || ACCESSOR.test(identifier),
  );
}

export function memberIdentifiers({ values }: Enumeration): ReadonlyMap<string, string> {
  return identifiers(values, (identifier) => identifier === 'value__');
}
