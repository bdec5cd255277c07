import { compileFunction } from 'node:vm';
import { excerpt, MAX_SENTENCE_CHARACTERS } from './text.ts';

const NAME = 'script';

/** How V8 begins the stack of a syntax error: the line of the script, and below it a mark under the place. */
const PLACE = new RegExp(`^${NAME}:(\\d+)\\n.*\\n( *)\\^`);

/**
 * Why V8 does not take a text for the body of a function; undefined when it does. Nothing of it is run. Line and column are
 * counted from 1. Throws a RangeError for what nests too deeply.
 */
export function findV8Fault(
  script: string,
): { readonly line: number; readonly column: number; readonly message: string } | undefined {
  try {
    compileFunction(script, [], { filename: NAME });
    return undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const [, line = '1', indent = ''] = PLACE.exec(error.stack ?? '') ?? [];
    return { line: Number(line), column: indent.length + 1, message: excerpt(error.message, MAX_SENTENCE_CHARACTERS) };
  }
}
