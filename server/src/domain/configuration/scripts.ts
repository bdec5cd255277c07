import { Parser } from 'acorn';
import { excerpt, MAX_SENTENCE_CHARACTERS } from '../../text.ts';
import { findV8Fault } from '../../v8-fault.ts';
import { boundNesting } from './script-nesting.ts';

/** How many blocks, functions and classes may nest: acorn walks all of them for every variable or private name. */
const MAX_BLOCKS = 64;

export interface ScriptFault {
  /** Both counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * Why a script is not the body of a function; undefined when it is one. Takes time linear in its length.
 *
 * acorn's messages are the clearer ones, but it guesses from the token before whether a slash begins a regular expression,
 * and can be misled: a script could then end its function inside of what acorn takes for one, and run whenever it is
 * loaded. Therefore V8, which reads slashes by the grammar, must take it for the body of a function as well. It works out
 * what regular expressions match, so neither it nor acorn is given the chance: see `withoutClasses`, `withoutFolding`,
 * `withoutLargeSets` and `Flags`.
 */
export function findScriptFault(script: string): ScriptFault | undefined {
  try {
    // The oldest Node.js that runs scripts knows no later syntax.
    ScriptParser.parse(script, { ecmaVersion: 2024, allowReturnOutsideFunction: true, allowHashBang: false });
    return findV8Fault(withoutClasses(withoutLargeSets(withoutFolding(script))));
  } catch (error) {
    if (isPositioned(error)) {
      const { line, column } = error.loc;
      const message = clearer(error.message.replace(/ \(\d+:\d+\)$/, ''), script.slice(0, error.pos));
      return { line, column: column + 1, message: excerpt(message, MAX_SENTENCE_CHARACTERS) };
    }
    // V8's own parser says so when its stack is used up.
    if (error instanceof RangeError) return { line: 1, column: 1, message: 'The script nests too deeply' };
    throw error;
  }
}

/** A class such as `\w` or `\p{Letter}` in a regular expression; in any other place it is a part of a text, or no script. */
const CLASS = /((?<!\\)(?:\\\\)*)\\(?:[pP]\{[\w=]*\}|[dDsSwW])/g;

/**
 * The script with a slash in place of each class, wherever there is one: every text and regular expression begins and ends
 * where it did. V8 works out which characters a class has before it goes on, which takes it minutes for a few kilobytes of
 * some, and nothing can end it meanwhile. acorn has checked the names of classes.
 */
function withoutClasses(script: string): string {
  return script.replace(CLASS, '$1\\/');
}

/** The flags of a regular expression that ignores case, and perhaps has sets; in any other place a part of a text, or of a name. */
const FLAGS_WITH_I = /\/([dgmsuvy]*)i([dgmsuvy]*)(?![\w$\\])/g;

/**
 * The script with another flag in place of `i` wherever a regular expression has both `i` and `v`. V8 works out all characters
 * that such a set has if case is ignored before it goes on. In Node.js 24 that takes the square of their number: minutes for
 * what fits into a script. A name that is changed instead is no other word for the grammar.
 */
function withoutFolding(script: string): string {
  return script.replace(FLAGS_WITH_I, (all: string, before: string, after: string) => {
    const others = before + after;
    return others.includes('v') ? `/${before}${unusedFlag(others)}${after}` : all;
  });
}

/** Characters of which V8 keeps a list for a set. Others are few. */
const IN_SETS = /[^ -~]|\\[ux]/g;
const MAX_IN_SETS = 2_000;
/** No regular expression goes on in the next line, and no shorter line has more than that. */
const LONG_LINE = new RegExp(`.{${MAX_IN_SETS},}`, 'g');

/** Flags of a regular expression with sets; in any other place a part of a text, or of a name. */
const FLAGS_WITH_V = /\/([dgimsuy]*)v([dgimsuy]*)(?![\w$\\])/g;

/**
 * The script with another flag in place of `v` in each line with very many characters. In Node.js 24, V8 puts those of a set into
 * a sorted list, one after the other, and takes a minute for what fits into a script. Without the flag, a set is a class: it ends
 * at its first bracket, so that the rest stands behind it.
 */
function withoutLargeSets(script: string): string {
  return script.replace(LONG_LINE, (line: string) => {
    if ((line.match(IN_SETS)?.length ?? 0) <= MAX_IN_SETS) return line;
    return line.replace(
      FLAGS_WITH_V,
      (_, before: string, after: string) => `/${before}${unusedFlag(before + after)}${after}`,
    );
  });
}

/** A flag that changes nothing of what a regular expression may be made of; none if all of them are there. */
function unusedFlag(flags: string): string {
  return [...'dgmsy'].find((flag) => !flags.includes(flag)) ?? '';
}

/** The parser's message, or what it means to the author of a script. */
function clearer(message: string, before: string): string {
  if (message.startsWith("'import' and 'export'")) return 'Scripts have no modules: import and export are not possible';
  if (/(?:^|[^\w$.])await\s{1,20}$/.test(before.slice(-30))) {
    return 'await is not possible here: calls wait by themselves, so leave it out';
  }
  return message;
}

function isPositioned(error: unknown): error is SyntaxError & { pos: number; loc: { line: number; column: number } } {
  return error instanceof SyntaxError && 'loc' in error;
}

/**
 * Stands in for the array in which acorn holds the names of a scope, with a look-up that does not become slower with
 * their number. Without it, 100 kB of declarations keep acorn busy for a minute.
 */
class Names {
  readonly #names = new Set<string>();
  /** The first name, which acorn reads because that of a catch clause may be declared again. */
  0: string | undefined;

  push(name: string): void {
    this[0] ??= name;
    this.#names.add(name);
  }

  indexOf(name: string): number {
    return this.#names.has(name) ? 0 : -1;
  }
}

/**
 * Flags of a regular expression of which acorn, when it has checked them, cannot make one. V8 would take minutes for some, in
 * which nothing could end it.
 */
class Flags extends String {
  isChecked = false;

  override toString(): string {
    if (this.isChecked) throw new SyntaxError('the regular expression is not needed');
    return super.toString();
  }
}

/** The inner parts of acorn's parser that are overridden here; the tests would notice if they changed. */
type ScopingParser = new (
  ...parts: never[]
) => {
  readonly scopeStack: object[];
  readonly start: number;
  readonly privateNameStack: object[];
  enterScope(flags: number): void;
  readRegexp(): void;
  readWord1(): string | Flags;
  validateRegExpPattern(state: { readonly flags: Flags }): void;
  enterClassBody(): object;
  raise(position: number, message: string): never;
};

const ScriptParser = Parser.extend((AcornParser) => {
  class LinearParser extends (AcornParser as unknown as ScopingParser) {
    #isInRegexp = false;

    override readRegexp(): void {
      this.#isInRegexp = true;
      super.readRegexp();
      this.#isInRegexp = false;
    }

    override readWord1(): string | Flags {
      const word = super.readWord1();
      return this.#isInRegexp ? new Flags(word) : word;
    }

    override validateRegExpPattern(state: { readonly flags: Flags }): void {
      super.validateRegExpPattern(state);
      state.flags.isChecked = true;
    }

    override enterScope(flags: number): void {
      super.enterScope(flags);
      // The first scope is that of the script itself.
      if (this.scopeStack.length > MAX_BLOCKS + 1) {
        this.raise(this.start, `More than ${MAX_BLOCKS} nested blocks`);
      }
      const names = { var: new Names(), lexical: new Names(), functions: new Names() };
      Object.assign(this.scopeStack.at(-1) as object, names);
    }

    override enterClassBody(): object {
      const declared = super.enterClassBody();
      if (this.privateNameStack.length > MAX_BLOCKS) {
        this.raise(this.start, `More than ${MAX_BLOCKS} nested classes`);
      }
      return declared;
    }
  }
  boundNesting(LinearParser);
  return LinearParser as unknown as typeof Parser;
});
