/** What a router needs to know about an operation. */
export interface Route {
  readonly http: { readonly method: string; readonly path: string };
}

export type Match<R extends Route> =
  | { readonly kind: 'operation'; readonly operation: R; readonly labels: ReadonlyMap<string, string> }
  | { readonly kind: 'unknown_operation' }
  | { readonly kind: 'method_not_allowed'; readonly allowed: readonly string[] }
  | { readonly kind: 'malformed_uri' };

interface PathNode<R> {
  readonly literals: Map<string, PathNode<R>>;
  label: PathNode<R> | undefined;
  readonly byMethod: Map<string, { readonly operation: R; readonly labelNames: readonly string[] }>;
}

const pathNode = <R>(): PathNode<R> => ({ literals: new Map(), label: undefined, byMethod: new Map() });

/**
 * Makes a function that finds the operation for a method and a raw path. A path is split before it is decoded, so that
 * `%2F` stays inside its label. An empty segment is an empty label, so that validation says what is wrong with it.
 * Throws when two operations have the same route.
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
    return { kind: 'operation', operation: found.operation, labels };
  };
}

function insert<R extends Route>(root: PathNode<R>, operation: R): void {
  const { method, path } = operation.http;
  const labelNames: string[] = [];
  let node = root;
  for (const segment of path.split('/').slice(1)) {
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
  node.byMethod.set(method, { operation, labelNames });
}

/**
 * Walks down the tree, where a literal wins over a label. The walk never goes back: no path of the API needs that, and
 * the cost stays linear. Undefined when no operation ends at the node that is reached.
 */
function follow<R>(
  root: PathNode<R>,
  segments: readonly string[],
): { readonly node: PathNode<R>; readonly rawLabels: readonly string[] } | undefined {
  const rawLabels: string[] = [];
  let node = root;
  for (const segment of segments) {
    const literal = node.literals.get(segment);
    if (literal === undefined) rawLabels.push(segment);
    const next = literal ?? node.label;
    if (next === undefined) return undefined;
    node = next;
  }
  return node.byMethod.size === 0 ? undefined : { node, rawLabels };
}

function percentDecoded(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}
