import { parseJson } from '@respark/protocol';

/** Where a member of an operation's input travels. Members without a location are in the JSON body. */
export type Location = 'uri' | 'querystring';

interface Bound {
  readonly location?: Location;
  /** Whether null may stand for nothing also in an exact structure, because a caller who leaves it out asks for no more. */
  readonly isNullable?: boolean;
}

export interface StringShape extends Bound {
  readonly type: 'string';
  /** Lengths count Unicode code points. */
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

export interface IntegerShape extends Bound {
  readonly type: 'integer';
  readonly min?: number;
  readonly max?: number;
}

export interface BooleanShape extends Bound {
  readonly type: 'boolean';
}

/** Milliseconds since 1970 in the program, ISO 8601 text with milliseconds on the wire. */
export interface TimestampShape extends Bound {
  readonly type: 'timestamp';
}

/** Bytes in the program, base64 on the wire; lengths count bytes. */
export interface BlobShape extends Bound {
  readonly type: 'blob';
  readonly min?: number;
  readonly max?: number;
}

/**
 * Any JSON, null included, about whose content the API knows nothing. In the program it is JSON text, because the value
 * itself would take long to hand over from the thread that reads a long body.
 */
export interface DocumentShape extends Bound {
  readonly type: 'document';
}

export interface ListShape<M extends Shape = Shape> extends Bound {
  readonly type: 'list';
  readonly member: M;
  readonly min?: number;
  readonly max?: number;
}

export interface MapShape<V extends Shape = Shape> extends Bound {
  readonly type: 'map';
  readonly key: StringShape;
  readonly value: V;
  readonly min?: number;
  readonly max?: number;
}

/** Known to types only, because a shape says what is on the wire. */
declare const PREPARED: unique symbol;

export interface Prepared {
  readonly [PREPARED]: true;
}

/** JSON in UTF-8, in the form that its shape describes. It goes into a reply as it is. */
export class PreparedJson {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export type Members = { readonly [name: string]: Shape };

export interface StructureShape<M extends Members = Members, R extends string = string> extends Bound {
  readonly type: 'structure';
  readonly members: M;
  readonly required: readonly R[];
  /** Whether a value with any other member, or with one that is null, is refused, instead of that being ignored. */
  readonly isExact?: boolean;
}

/** The form of a value on the wire, as data. Parsing, validation, the docs and the TypeScript type derive from it. */
export type Shape =
  | StringShape
  | IntegerShape
  | BooleanShape
  | TimestampShape
  | BlobShape
  | DocumentShape
  | ListShape
  | MapShape
  | StructureShape;

/** The TypeScript type of a shape's values. */
export type Value<S> = S extends { readonly type: 'string' }
  ? string
  : S extends { readonly type: 'integer' | 'timestamp' }
    ? number
    : S extends { readonly type: 'boolean' }
      ? boolean
      : S extends { readonly type: 'blob' }
        ? Uint8Array
        : S extends { readonly type: 'document' }
          ? string
          : S extends Prepared
            ? PreparedJson
            : S extends { readonly type: 'list'; readonly member: infer M }
              ? readonly Value<M>[]
              : S extends { readonly type: 'map'; readonly value: infer V }
                ? { readonly [key: string]: Value<V> }
                : S extends {
                      readonly type: 'structure';
                      readonly members: infer M;
                      readonly required: readonly (infer R)[];
                    }
                  ? { readonly [K in keyof M & R]: Value<M[K]> } & {
                      readonly [K in Exclude<keyof M, R>]?: Value<M[K]> | undefined;
                    }
                  : never;

type Range = { readonly min?: number; readonly max?: number };

export const string = (limits: Omit<StringShape, 'type' | 'location'> = {}): StringShape => ({
  type: 'string',
  ...limits,
});

export const integer = (limits: Range = {}): IntegerShape => ({ type: 'integer', ...limits });

export const boolean = (): BooleanShape => ({ type: 'boolean' });

export const timestamp = (): TimestampShape => ({ type: 'timestamp' });

export const blob = (limits: Range = {}): BlobShape => ({ type: 'blob', ...limits });

export const document = (): DocumentShape => ({ type: 'document' });

export const list = <M extends Shape>(member: M, limits: Range = {}): ListShape<M> => ({
  type: 'list',
  member,
  ...limits,
});

export const map = <V extends Shape>(key: StringShape, value: V, limits: Range = {}): MapShape<V> => ({
  type: 'map',
  key,
  value,
  ...limits,
});

/** Marks a map of an output as one that the handler gives as `PreparedJson`. On the wire that makes no difference. */
export const prepared = <S extends MapShape>(shape: S): S & Prepared => shape as S & Prepared;

// Two overloads, because otherwise the type that the caller expects would decide which members are required by default.
export function structure<const M extends Members>(members: M): StructureShape<M, never>;
export function structure<const M extends Members, const R extends keyof M & string>(
  members: M,
  required: readonly R[],
): StructureShape<M, R>;
export function structure(members: Members, required: readonly string[] = []): StructureShape {
  return { type: 'structure', members, required };
}

/** A structure of which a misspelled member, or one that is null, must not have a call do more, or do it to more players. */
export const exact = <S extends StructureShape>(shape: S): S & { readonly isExact: true } => ({
  ...shape,
  isExact: true,
});

/** A member for which null may stand for nothing, also in an exact structure. */
export const nullable = <S extends Shape>(shape: S): S & { readonly isNullable: true } => ({
  ...shape,
  isNullable: true,
});

/** Puts a member into the path, as a label. */
export const label = <S extends Shape>(shape: S): S & { readonly location: 'uri' } => ({ ...shape, location: 'uri' });

/** Puts a member into the query, as a key. */
export const query = <S extends Shape>(shape: S): S & { readonly location: 'querystring' } => ({
  ...shape,
  location: 'querystring',
});

/**
 * Turns a handler's output into JSON for the wire: times and bytes as text, absent members left out. What is prepared
 * stays as it is.
 */
export function serialize(shape: Shape, value: unknown): unknown {
  switch (shape.type) {
    case 'timestamp':
      return new Date(value as number).toISOString();
    case 'blob':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'document':
      return parseJson(value as string);
    case 'list':
      return (value as readonly unknown[]).map((item) => serialize(shape.member, item));
    case 'map':
      if (value instanceof PreparedJson) return value;
      // `fromEntries` makes even `__proto__` an own property. Here it is a key like any other.
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [key, serialize(shape.value, item)]),
      );
    case 'structure': {
      const members = value as { readonly [name: string]: unknown };
      const present: { [name: string]: unknown } = {};
      for (const [name, member] of Object.entries(shape.members)) {
        if (members[name] !== undefined) present[name] = serialize(member, members[name]);
      }
      return present;
    }
    default:
      return value;
  }
}
