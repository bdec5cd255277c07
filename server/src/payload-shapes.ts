import { assertNever } from './errors.ts';

/** What the payloads of a game's messages are made of. */
export type Shape = Structure | Enumeration | List | Dictionary;

export interface Structure {
  readonly kind: 'structure';
  readonly name: string;
  readonly description: string;
  readonly fields: readonly Field[];
}

export interface Field {
  readonly name: string;
  readonly type: TypeReference;
  readonly isRequired: boolean;
  readonly description: string;
}

export interface Enumeration {
  readonly kind: 'enum';
  readonly name: string;
  readonly description: string;
  readonly values: readonly string[];
}

export interface List {
  readonly kind: 'list';
  readonly name: string;
  readonly description: string;
  readonly item: TypeReference;
}

/** Keys are strings. */
export interface Dictionary {
  readonly kind: 'map';
  readonly name: string;
  readonly description: string;
  readonly value: TypeReference;
}

export type TypeReference =
  | { readonly kind: 'builtin'; readonly name: BuiltinName }
  | { readonly kind: 'shape'; readonly name: string };

/**
 * Integer has 32 bits and Long 64; Timestamp is ISO 8601 text; Document is any JSON. A shape of the game cannot have one
 * of these names.
 */
export const BUILTIN_NAMES = ['String', 'Integer', 'Long', 'Decimal', 'Boolean', 'Timestamp', 'Document'] as const;

export type BuiltinName = (typeof BUILTIN_NAMES)[number];

export function isBuiltin(name: string): name is BuiltinName {
  return (BUILTIN_NAMES as readonly string[]).includes(name);
}

/** A structure, and by their names the shapes that it refers to, itself included. */
export interface PayloadShape {
  readonly structure: Structure;
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** The types that a shape refers to. */
export function typesIn(shape: Shape): readonly TypeReference[] {
  switch (shape.kind) {
    case 'structure':
      return shape.fields.map(({ type }) => type);
    case 'enum':
      return [];
    case 'list':
      return [shape.item];
    case 'map':
      return [shape.value];
    default:
      return assertNever(shape);
  }
}
