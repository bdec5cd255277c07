import type { Operation } from '../api/operation.ts';
import type { Input } from '../api/operation-request.ts';
import { listGames } from '../api/operations/games.ts';
import { listStages } from '../api/operations/stages.ts';
import { findNearest } from '../nearest.ts';
import { listAt, valueAt } from './reply.ts';

/** Each page is one more call for a person who waits for an error. */
const MAX_PAGES = 5;

/**
 * The name that was probably meant by that of a game or stage which the server says that there is none of; undefined if there
 * is none like it, or if the caller may not list them.
 */
export async function findMeant(
  refusal: string,
  { GameName, StageName }: Input,
  ask: (operation: Operation, input: Input) => Promise<unknown>,
): Promise<string | undefined> {
  const [, kind] = /\bthere is no (game|stage) "/.exec(refusal) ?? [];
  const given = kind === 'game' ? GameName : StageName;
  if (kind === undefined || typeof given !== 'string') return undefined;
  try {
    const names =
      kind === 'game'
        ? await namesOf(ask, listGames, 'Games', {})
        : await namesOf(ask, listStages, 'Stages', { GameName });
    return findNearest(given, names);
  } catch {
    // What the server has said of the call itself says enough.
    return undefined;
  }
}

async function namesOf(
  ask: (operation: Operation, input: Input) => Promise<unknown>,
  operation: Operation,
  member: string,
  input: Input,
): Promise<string[]> {
  const names: string[] = [];
  let next: unknown;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const reply = await ask(operation, { ...input, NextToken: next });
    for (const { Name } of listAt<{ Name?: string }>(reply, member)) if (Name !== undefined) names.push(Name);
    next = valueAt(reply, ['NextToken']);
    if (next === undefined) break;
  }
  return names;
}
