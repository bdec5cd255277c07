import { keeping, percentEncoded } from './percent-encoding.ts';

/** What a router needs to know about an operation. */
export interface Route {
  readonly http: { readonly method: string; readonly path: string };
  /** Whether the label at the end of the path takes what is left of a path, with its slashes. */
  readonly isLastLabelGreedy?: boolean;
}

export type Match<R extends Route> =
  | {
      readonly kind: 'operation';
      readonly operation: R;
      readonly labels: ReadonlyMap<string, string>;
      /**
       * The path as AWS clients spell it, with every character of its labels percent-encoded that has a meaning in
       * URLs. It leads to the same operation and the same labels as the path that came, since no literal has one.
       */
      readonly spelledPath: string;
    }
  | { readonly kind: 'unknown_operation' }
  | { readonly kind: 'method_not_allowed'; readonly allowed: readonly string[] }
  | { readonly kind: 'malformed_uri' };

interface PathNode<R> {
  readonly literals: Map<string, PathNode<R>>;
  label: PathNode<R> | undefined;
  isGreedy: boolean;
  readonly byMethod: Map<string, { readonly operation: R; readonly labelNames: readonly string[] }>;
}

const pathNode = <R>(): PathNode<R> => ({
  literals: new Map(),
  label: undefined,
  isGreedy: false,
  byMethod: new Map(),
});

/**
 * Makes a function that finds the operation for a method and a raw path. A path is split before it is decoded, so that
 * `%2F` stays inside its label. An empty segment is an empty label, so that validation says what is wrong with it.
 * Throws when two operations have the same route, or one ends where the greedy label of another begins.
 */
export function createRouter<R extends Route>(operations: readonly R[]): (method: string, rawPath: string) => Match<R> {
  const root = pathNode<R>();
  for (const operation of operations) insert(root, operation);

  return function match(method, rawPath) {
    const segments = rawPath.split('/');
    const end = segments[0] === '' ? follow(root, segments.slice(1)) : undefined;
    if (end === undefined) return { kind: 'unknown_operation' };
    const found = end.node.byMethod.get(method);
    if (found === undefined) return { kind: 'method_not_allowed', allowed: [...end.node.byMethod.keys()] };
    const labels = new Map<string, string>();
    for (const [index, name] of found.labelNames.entries()) {
      const value = percentDecoded(end.rawLabels[index] as string);
      if (value === undefined) return { kind: 'malformed_uri' };
      labels.set(name, value);
    }
    return { kind: 'operation', operation: found.operation, labels, spelledPath: end.spelledPath };
  };
}

function insert<R extends Route>(root: PathNode<R>, operation: R): void {
  const { method, path } = operation.http;
  const { isLastLabelGreedy = false } = operation;
  const labelNames: string[] = [];
  let node = root;
  for (const segment of path.split('/').slice(1)) {
    if (node.isGreedy) throw new Error(`${method} ${path} goes on behind a greedy label`);
    if (segment.startsWith('{')) {
      labelNames.push(segment.slice(1, -1));
      node.label ??= pathNode();
      node = node.label;
    } else {
      const next = node.literals.get(segment) ?? pathNode<R>();
      node.literals.set(segment, next);
      node = next;
    }
  }
  if (node.byMethod.has(method)) throw new Error(`two operations have the route ${method} ${path}`);
  if (isLastLabelGreedy && (node.literals.size > 0 || node.label !== undefined)) {
    throw new Error(`the label at the end of ${method} ${path} is greedy, but another route goes on behind it`);
  }
  node.isGreedy ||= isLastLabelGreedy;
  node.byMethod.set(method, { operation, labelNames });
}

/**
 * Walks down the tree, where a literal wins over a label. The walk never goes back: no path of the API needs that, and
 * the cost stays linear. Undefined when no operation ends at the node that is reached.
 */
function follow<R>(
  root: PathNode<R>,
  segments: readonly string[],
): { readonly node: PathNode<R>; readonly rawLabels: readonly string[]; readonly spelledPath: string } | undefined {
  const rawLabels: string[] = [];
  let spelledPath = '';
  let node = root;
  for (const [index, segment] of segments.entries()) {
    const literal = node.literals.get(segment);
    const next = literal ?? node.label;
    if (next === undefined) return undefined;
    node = next;
    if (literal === undefined) {
      const rawLabel = percentEncoded(node.isGreedy ? segments.slice(index).join('/') : segment, OF_LABELS);
      rawLabels.push(rawLabel);
      spelledPath += `/${rawLabel}`;
      if (node.isGreedy) break;
    } else spelledPath += `/${segment}`;
  }
  return node.byMethod.size === 0 ? undefined : { node, rawLabels, spelledPath };
}

/** What came percent-encoded, or need not be, stays as it is. */
const OF_LABELS = keeping('%\\w.~-');

function percentDecoded(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}
