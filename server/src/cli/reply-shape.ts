import type { Shape } from '../api/shape.ts';
import { CommandError } from './world.ts';

/** Deeper than any document of a server, and not so deep that it could not be written again. */
const MAX_DEPTH = 500;

/**
 * Throws a CommandError unless the reply of an operation has the form that its shape says: what is no Respark server may
 * answer with anything, and commands rely on what they read. Members may be missing, as those of later versions are at an
 * earlier one, or be more than this version knows, and texts may be any.
 */
export function assertFits(shape: Shape, reply: unknown): void {
  const path = misfitIn(shape, reply, '');
  if (path === undefined) return;
  const where = path === '' ? 'it' : `its member ${path.slice(1)}`;
  throw new CommandError(`the reply is not as it must be: ${where}; is the endpoint a Respark server?`);
}

/** The path of the first value that is of another kind than the shape says. */
function misfitIn(shape: Shape, value: unknown, path: string): string | undefined {
  switch (shape.type) {
    case 'integer':
      return typeof value === 'number' ? undefined : path;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : path;
    case 'document':
      return undefined;
    case 'list':
      return Array.isArray(value) ? misfitAmong(value, shape.member, `${path}.member`) : path;
    case 'map':
      return isObject(value) ? misfitAmong(Object.values(value), shape.value, `${path}.member`) : path;
    case 'structure':
      if (!isObject(value)) return path;
      for (const [name, member] of Object.entries(shape.members)) {
        const misfit = Object.hasOwn(value, name) ? misfitIn(member, value[name], `${path}.${name}`) : undefined;
        if (misfit !== undefined) return misfit;
      }
      return undefined;
    default:
      return typeof value === 'string' ? undefined : path;
  }
}

function misfitAmong(values: readonly unknown[], shape: Shape, path: string): string | undefined {
  for (const value of values) {
    const misfit = misfitIn(shape, value, path);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether JSON text nests so deep that it could not be written again, which takes a call for each level. */
export function isTooDeep(json: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < json.length && depth <= MAX_DEPTH; at += 1) {
    const unit = json[at];
    if (unit === '"') isInString = !isInString;
    else if (isInString) at += Number(unit === '\\');
    else if (unit === '[' || unit === '{') depth += 1;
    else if (unit === ']' || unit === '}') depth -= 1;
  }
  return depth > MAX_DEPTH;
}
