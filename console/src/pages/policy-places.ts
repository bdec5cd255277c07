/** Where something is in a text; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A fault of a policy, in the server's words. */
export interface PolicyFault {
  readonly words: string;
  /** Undefined where the text has nothing to point at. */
  readonly place: Place | undefined;
}

type Path = readonly (string | number)[];

const FAULT = /^The policy is not valid\. (.+?): (.+)$/s;

/** What is wrong with the policy, where the server has refused it; undefined for an error of another kind. */
export function policyFaultOf(message: string, text: string): PolicyFault | undefined {
  const [, path, problem = ''] = FAULT.exec(message) ?? [];
  if (path === undefined) return undefined;
  if (path !== 'The document') return { words: `${path}: ${problem}`, place: placeOf(text, path) };
  const offset = syntaxFaultAt(text);
  return { words: problem, place: offset === undefined ? undefined : placeAt(text, offset) };
}

/** Where the path, such as `Statement[0].Action`, is in a JSON text, or the nearest value around it. */
export function placeOf(text: string, path: string): Place | undefined {
  const parts = [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quoted, index, name]) => name ?? quoted ?? Number(index),
  );
  // A document may have one statement where others have a list.
  const found = [parts, parts.filter((part) => typeof part === 'string')].map((each) => deepestOf(text, each));
  const [best] = found.flatMap((each) => each ?? []).sort((a, b) => b.depth - a.depth);
  return best && placeAt(text, best.offset);
}

/** The last value of the text whose path is the path or leads to it. */
function deepestOf(text: string, path: Path): { depth: number; offset: number } | undefined {
  let best: { depth: number; offset: number } | undefined;
  const frames: { isList: boolean; at: number; part: string | number; awaitsName: boolean }[] = [];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const frame = frames.at(-1);
    if (token === '}' || token === ']') frames.pop();
    else if (token === ',') {
      if (frame?.isList) frame.part = Number(frame.part) + 1;
      else if (frame) frame.awaitsName = true;
    } else if (token === ':') continue;
    else if (frame?.awaitsName) Object.assign(frame, { part: nameIn(token), at: index, awaitsName: false });
    else {
      const isOnPath = frames.length > 0 && frames.every(({ part }, depth) => part === path[depth]);
      if (isOnPath && frames.length > (best?.depth ?? 0))
        best = { depth: frames.length, offset: frame?.isList ? index : (frame?.at ?? index) };
      if (token === '{') frames.push({ isList: false, at: index, part: '', awaitsName: true });
      if (token === '[') frames.push({ isList: true, at: index, part: 0, awaitsName: false });
    }
  }
  return best;
}

function nameIn(token: string): string {
  try {
    return String(JSON.parse(token));
  } catch {
    return token;
  }
}

/** The offset of the first syntax error; undefined for valid JSON. */
function syntaxFaultAt(text: string): number | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const [, position] = /position (\d+)/.exec(String(error)) ?? [];
    return position === undefined ? text.length : Number(position);
  }
}

function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
