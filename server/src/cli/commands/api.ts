import { parseJson } from '@respark/protocol';
import { Command } from 'commander';
import { EVERY_OPERATION } from '../../api/every-operation.ts';
import { type Operation, wholeInput } from '../../api/operation.ts';
import type { Input } from '../../api/operation-request.ts';
import type { Shape, StructureShape } from '../../api/shape.ts';
import { findNearest } from '../../nearest.ts';
import { printable } from '../../text.ts';
import { readInputText } from '../files.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { listAt, nextTokenIn } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

export function apiCommand(world: World): Command {
  const command = new Command('api')
    .description('Call any operation of the management API and print its reply.')
    .argument(
      '[operation]',
      'name of the operation, such as GetGame or get-game; without it, all operations are listed',
    )
    .option('--json <input>', 'the input: a JSON object, @FILE for a file with one, or - for stdin', '{}')
    .option('--all', 'follow NextToken and print the items of all pages')
    .option('--list', 'list the operations')
    .addHelpText('after', ({ command: { args } }) => helpOf(args.find((word) => !word.startsWith('-'))))
    .action(async (name?: string) => {
      const { json, all, list } = command.opts<{ json: string; all?: true; list?: true }>();
      if (name === undefined || list === true) {
        const rows = EVERY_OPERATION.map(({ name, http }) => [name, http.method, http.path]);
        world.stdout.write(formatTable([['OPERATION', 'METHOD', 'PATH'], ...rows]));
        return;
      }
      const operation = getOperation(name);
      const input = parseInput(await readInput(world, json));
      const client = await createClient(world, command);
      const reply = all === true ? await callForAll(client, operation, input) : await client.call(operation, input);
      world.stdout.write(formatJson(reply));
    });
  return addClientOptions(command);
}

const plain = (text: string) => text.replaceAll('-', '').toLowerCase();

/** Finds an operation by its name in any case, with or without hyphens, so that the AWS CLI's spelling works too. */
function findOperation(name: string): Operation | undefined {
  return EVERY_OPERATION.find((operation) => plain(operation.name) === plain(name));
}

function getOperation(name: string): Operation {
  const operation = findOperation(name);
  if (operation !== undefined) return operation;
  const nearest = findNearest(
    plain(name),
    EVERY_OPERATION.map((each) => plain(each.name)),
  );
  const meant = nearest === undefined ? '' : `did you mean ${findOperation(nearest)?.name}? `;
  throw new CommandError(`there is no operation "${name}"; ${meant}"respark api --list" shows them all`, {
    exitCode: 2,
  });
}

/** The text of the input: as given, or the content of the file or of stdin that `given` names. */
async function readInput(world: World, given: string): Promise<string> {
  if (given !== '-' && !given.startsWith('@')) return given;
  return await readInputText(world, given.replace(/^@/, ''), '--json');
}

function parseInput(text: string): Input {
  let input: unknown;
  let cause: unknown;
  try {
    input = parseJson(text);
  } catch (error) {
    cause = error;
  }
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as Input;
  const why = cause instanceof Error ? ` (${printable(cause.message)})` : '';
  throw new CommandError(`--json must be a JSON object, @FILE for a file with one, or - for stdin${why}`, {
    exitCode: 2,
    cause,
  });
}

/** The items of every page, as one reply. Throws a CommandError for an operation without pages. */
async function callForAll(client: ManagementClient, operation: Operation, input: Input): Promise<unknown> {
  const { members } = operation.output;
  const name = Object.keys(members).find((member) => members[member]?.type === 'list');
  if (name === undefined || !Object.hasOwn(members, 'NextToken')) {
    throw new CommandError(`${operation.name} has no pages; leave out --all`, { exitCode: 2 });
  }
  const items: unknown[] = [];
  for (let next = input.NextToken; ; ) {
    const page = await client.call(operation, { ...input, NextToken: next });
    for (const item of listAt(page, name)) items.push(item);
    next = nextTokenIn(page, next);
    if (next === undefined) return { [name]: items };
  }
}

const EXAMPLES = `
Examples: list all operations; show the input of one; call it
  $ respark api --list
  $ respark api get-stage --help
  $ respark api get-stage --json '{"GameName": "Demo", "StageName": "Dev"}'`;

function helpOf(name: string | undefined): string {
  const operation = name === undefined ? undefined : findOperation(name);
  if (operation === undefined) return EXAMPLES;
  const { http } = operation;
  const input = wholeInput(operation);
  const members = [...rowsOf(input, '')];
  const json = input.required.length === 0 ? '' : ` --json '${JSON.stringify(skeletonOf(input))}'`;
  return `
${operation.name}: ${http.method} ${http.path}
${members.length === 0 ? 'It takes no input.' : formatTable([['MEMBER', 'IN', 'REQUIRED', 'FORM'], ...members])}
Example${json === '' ? '' : ', with the required members to fill in'}:
  $ respark api ${operation.name}${json}`;
}

/** An example of the shape with its required members, and … wherever the user has to fill in a value. */
function skeletonOf(shape: Shape): unknown {
  switch (shape.type) {
    case 'structure':
      return Object.fromEntries(shape.required.map((name) => [name, skeletonOf(shape.members[name] as Shape)]));
    case 'list':
      return [skeletonOf(shape.member)];
    case 'map':
      return { '…': skeletonOf(shape.value) };
    default:
      return '…';
  }
}

/** The words for the places of members in a request, as help shows them. */
const PLACES = { uri: 'path', querystring: 'query', body: 'body' } as const;

/**
 * Yields a row for each member; a member of an inner structure is named by its path, such as `Modifications[].Path`.
 */
function* rowsOf(shape: StructureShape, path: string, place?: string): Generator<string[]> {
  for (const [name, member] of Object.entries(shape.members)) {
    const memberPath = `${path}${name}`;
    const at = place ?? PLACES[member.location ?? 'body'];
    yield [memberPath, at, shape.required.includes(name) ? 'yes' : 'no', formOf(member)];
    if (member.type === 'structure') yield* rowsOf(member, `${memberPath}.`, at);
    if (member.type === 'list' && member.member.type === 'structure')
      yield* rowsOf(member.member, `${memberPath}[].`, at);
  }
}

/** The type and its limits as help shows them: `string, length 1-36, ^[a-z]+$`. */
function formOf(shape: Shape): string {
  const facts: string[] = [nameOf(shape)];
  if ('min' in shape || 'max' in shape) {
    const { min = 0, max } = shape as { min?: number; max?: number };
    facts.push(`${shape.type === 'integer' ? '' : 'length '}${min}-${max ?? ''}`);
  }
  if (shape.type === 'string' && shape.enum !== undefined) facts.push(`one of ${shape.enum.join(', ')}`);
  if (shape.type === 'string' && shape.pattern !== undefined) facts.push(shape.pattern);
  return facts.join(', ');
}

function nameOf(shape: Shape): string {
  if (shape.type === 'list') return shape.member.type === 'structure' ? 'list' : `list of (${formOf(shape.member)})`;
  if (shape.type === 'map') return `map of (${formOf(shape.key)}) to (${formOf(shape.value)})`;
  return shape.type;
}
