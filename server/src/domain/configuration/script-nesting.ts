/** How deeply the parts of a script may nest, in all. The stack of a thread, and of a command, holds more than that by a good deal. */
const MAX_NESTING = 800;

/**
 * Functions of acorn's parser through which it comes back to itself, one of them at least wherever it does. It reads the token
 * behind a comment such as `<!--` while it still reads the one before.
 */
export const NESTING = [
  'nextToken',
  'parseExprOp',
  'parseStatement',
  'parseMaybeAssign',
  'parseMaybeUnary',
  'parseExprAtom',
  'parseBindingAtom',
  'regexp_disjunction',
  'regexp_classContents',
] as const;

type Parse = (this: Nesting, ...parts: unknown[]) => unknown;

/** The operators of one precedence in a row, such as those of `a + b + c`. */
interface Chain {
  readonly start: unknown;
  readonly precedence: unknown;
  /** What has been read of it, when more may follow. */
  left?: unknown;
}

interface Nesting {
  readonly start: number;
  nesting?: number;
  chain?: Chain | undefined;
  raise(position: number, message: string): never;
}

type Prototype = Record<(typeof NESTING)[number], Parse> & { catchStackOverflow(parse: () => unknown): unknown };

/**
 * Has a parser of acorn's refuse what nests too deeply long before the stack is used up. V8 ends the whole process, with all of
 * its threads, when a regular expression has to be compiled where no stack is left, and acorn has many of them.
 */
export function boundNesting({ prototype }: { readonly prototype: object }): void {
  const parser = prototype as Prototype;
  for (const name of NESTING) {
    const parse = parser[name];
    parser[name] = function (...parts) {
      const nesting = (this.nesting ?? 0) + 1;
      if (nesting > MAX_NESTING) this.raise(this.start, 'The script nests too deeply');
      this.nesting = nesting;
      const parsed = parse.apply(this, parts);
      this.nesting = nesting - 1;
      return parsed;
    };
  }
  parser.parseExprOp = inALoop(parser.parseExprOp);
  // acorn's own looks at the message of the error with a regular expression, where the stack has just been used up.
  parser.catchStackOverflow = (parse) => parse();
}

/**
 * acorn calls this function once more, at its end, for each further operator of a chain, of which scripts may have thousands.
 * Such a call returns at once here, and the first one goes on.
 */
function inALoop(parse: Parse): Parse {
  return function (left, start, location, precedence, forInit) {
    const outer = this.chain;
    if (outer !== undefined && outer.start === start && outer.precedence === precedence) {
      outer.left = left;
      return left;
    }
    for (let next = left; ; ) {
      const chain: Chain = { start, precedence };
      this.chain = chain;
      const parsed = parse.call(this, next, start, location, precedence, forInit);
      this.chain = outer;
      if (chain.left === undefined) return parsed;
      next = chain.left;
    }
  };
}
