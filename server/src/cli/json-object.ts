import { parseJson } from '@respark/protocol';
import { printable, shown } from '../text.ts';
import { readInputText } from './files.ts';
import { CommandError, type World } from './world.ts';

/**
 * The JSON object that an option gives: as text, or in the file or on the stdin that `given` names. Throws a CommandError
 * (exit code 2).
 */
export async function readJsonObject(
  world: World,
  given: string,
  option: string,
): Promise<Readonly<Record<string, unknown>>> {
  const isText = given !== '-' && !given.startsWith('@');
  const text = isText ? given : await readInputText(world, given.replace(/^@/, ''), option);
  let why = '';
  try {
    const value = parseJson(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    why = ` (${printable((error as Error).message)})`;
  }
  throw new CommandError(`${option} must be a JSON object, got ${shown(text)}${why}`, { exitCode: 2 });
}
