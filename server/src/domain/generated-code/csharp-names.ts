import type { Enumeration, Structure } from '../../payload-shapes.ts';
import type { GameMessages } from './game-messages.ts';
import { identifiers } from './source-code.ts';

/** Includes words that are keywords only in some places, since an `@` in front of an identifier never hurts. */
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

/** Names that a nested type must not have, because the generated code uses them for something else. */
const TYPES_IN_USE: ReadonlySet<string> = new Set([
  ...MEMBERS_OF_OBJECT,
  ...'Action Connection DateTimeOffset Decimal DefaultError Environment IDisposable IReadOnlyDictionary IReadOnlyList'.split(
    ' ',
  ),
  ...'JsonConverter JsonConverterAttribute JsonProperty JsonPropertyAttribute Message Newtonsoft'.split(' '),
  ...'NullValueHandling System TimeSpan'.split(' '),
]);

/** Names that a property must not have, for the same reason. */
const MEMBERS_IN_USE: ReadonlySet<string> = new Set([
  ...MEMBERS_OF_OBJECT,
  'Environment',
  'NullValueHandling',
  'nameof',
]);

/** With these prefixes, every property reserves two more names in its class. */
const ACCESSOR = /^[gs]et_/;

/** The identifier as code must write it, so that it is not taken for a keyword. */
export function written(identifier: string): string {
  return KEYWORDS.has(identifier) ? `@${identifier}` : identifier;
}

export function methodName(message: { readonly name: string }, kind: 'Request' | 'Event' | 'Notification'): string {
  return kind === 'Notification' ? `SubscribeTo${message.name}Notification` : `Enqueue${message.name}${kind}`;
}

/**
 * The name of the nested type for each shape. In C#, no member of a class may have the name of the class, of an
 * accessor or of another member.
 */
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

/** The name of the property for each field. */
export function propertyIdentifiers({ fields }: Structure, className: string): ReadonlyMap<string, string> {
  return identifiers(
    fields.map(({ name }) => name),
    (identifier) => identifier === className || MEMBERS_IN_USE.has(identifier) || ACCESSOR.test(identifier),
  );
}

export function memberIdentifiers({ values }: Enumeration): ReadonlyMap<string, string> {
  return identifiers(values, (identifier) => identifier === 'value__');
}
