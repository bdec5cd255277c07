import { Parser } from 'acorn';
import { excerpt, MAX_SENTENCE_CHARACTERS } from '../../text.ts';

/** Blocks, functions and classes in each other: acorn walks all of them for every variable or private name. */
const MAX_BLOCKS = 64;

export interface ScriptFault {
  /** Both counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Why a script is not the body of a function; undefined when it is. Costs time linear in its length. */
export function findScriptFault(script: string): ScriptFault | undefined {
  try {
    // The oldest Node.js that runs scripts knows no later syntax.
    ScriptParser.parse(script, { ecmaVersion: 2024, allowReturnOutsideFunction: true, allowHashBang: false });
    return undefined;
  } catch (error) {
    if (isPositioned(error)) {
      const { line, column } = error.loc;
      const message = error.message.replace(/ \(\d+:\d+\)$/, '');
      return { line, column: column + 1, message: excerpt(message, MAX_SENTENCE_CHARACTERS) };
    }
    // Regular expressions are read by functions that call each other, for as long as the stack lasts.
    if (error instanceof RangeError) return { line: 1, column: 1, message: 'The script nests too deeply' };
    throw error;
  }
}

function isPositioned(error: unknown): error is SyntaxError & { loc: { line: number; column: number } } {
  return error instanceof SyntaxError && 'loc' in error;
}

/**
 * What acorn uses of an array to hold the names of a scope, with a lookup that does not become slower with their number:
 * without it 100 kB of declarations keep acorn busy for a minute.
 */
class Names {
  readonly #names = new Set<string>();
  /** The first name: of a catch clause it may be declared again. */
  0: string | undefined;

  push(name: string): void {
    this[0] ??= name;
    this.#names.add(name);
  }

  indexOf(name: string): number {
    return this.#names.has(name) ? 0 : -1;
  }
}

/** The inside of acorn's parser, as far as it is overridden here; the tests would notice if it changed. */
type ScopingParser = new (
  ...parts: never[]
) => {
  readonly scopeStack: object[];
  readonly start: number;
  readonly privateNameStack: object[];
  enterScope(flags: number): void;
  enterClassBody(): object;
  raise(position: number, message: string): never;
};

const ScriptParser = Parser.extend((AcornParser) => {
  class LinearParser extends (AcornParser as unknown as ScopingParser) {
    override enterScope(flags: number): void {
      super.enterScope(flags);
      // The first scope is that of the script itself.
      if (this.scopeStack.length > MAX_BLOCKS + 1) {
        this.raise(this.start, `More than ${MAX_BLOCKS} blocks in each other`);
      }
      const names = { var: new Names(), lexical: new Names(), functions: new Names() };
      Object.assign(this.scopeStack.at(-1) as object, names);
    }

    override enterClassBody(): object {
      const declared = super.enterClassBody();
      if (this.privateNameStack.length > MAX_BLOCKS) {
        this.raise(this.start, `More than ${MAX_BLOCKS} classes in each other`);
      }
      return declared;
    }
  }
  return LinearParser as unknown as typeof Parser;
});
