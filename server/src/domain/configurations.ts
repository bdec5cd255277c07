/** Attributes of one section: any JSON. Keys such as `__proto__` are data: copy by entries, never by assignment. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Section name → attributes. */
export type Sections = { readonly [name: string]: Json };

export interface Configuration {
  /** When the game was created. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly sections: Sections;
}

export interface Modification {
  readonly section: string;
  readonly operation: 'ADD' | 'REMOVE' | 'REPLACE';
  /** A JSON Pointer (RFC 6901) into the section's attributes. */
  readonly path: string;
  /** Undefined when the caller gave none. */
  readonly value: Json | undefined;
}

/** The rules of games' configurations. Every method throws `not_found` without the game. */
export interface Configurations {
  /** Only the named sections, if any are named; a name that there is not is left out. */
  get(gameName: string, sections?: readonly string[]): Promise<Configuration>;
  /**
   * Makes all of the modifications, in order, or none. Throws `validation` that names the one which cannot be made by its
   * place in the list, counted from 1, and `quota_exceeded` when the whole would be larger than `maxConfigurationBytes`.
   */
  update(gameName: string, modifications: readonly Modification[]): Promise<Configuration>;
  /** Replaces everything by an exported document. Throws `validation` and `quota_exceeded`. */
  import(gameName: string, file: Uint8Array): Promise<Configuration>;
}
