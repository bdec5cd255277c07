import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '@respark/protocol';
import type { Operation } from '../api/operation.ts';
import { isUnreachable, type ManagementClient } from './management-client.ts';
import { valueAt } from './reply.ts';
import { isTooDeep } from './reply-shape.ts';
import { CommandError } from './world.ts';

/** A server-sent event. */
interface StreamedEvent {
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly data: unknown;
}

const RECONNECT_MS = 1_000;
const MAX_FAILURES = 30;
/** Much more than any event of a server has. */
const MAX_EVENT_CHARACTERS = 4_194_304;
const DELETED =
  'the game was deleted; a later game of its name is another one, for which the command must be started again';

/**
 * Follows a stream for ever, and goes on where it was when it ends: a node may have been drained. Rejects when no server
 * answers for a while, and when the game was deleted.
 */
export async function followEvents(
  client: ManagementClient,
  operation: Operation,
  query: Readonly<Record<string, unknown>>,
  show: (event: StreamedEvent) => void,
): Promise<void> {
  let position: string | undefined;
  for (let failures = 0; ; ) {
    const from = position === undefined ? {} : { After: Number(position), Since: undefined };
    try {
      for await (const event of eventsIn(await client.stream(operation, { ...query, ...from }))) {
        failures = 0;
        position = event.id ?? position;
        if (isOfDeletedGame(event)) throw new CommandError(DELETED);
        if (event.name !== undefined && event.name !== 'end') show(event);
      }
    } catch (error) {
      failures += 1;
      if (failures > MAX_FAILURES || !isUnreachable(error)) throw error;
    }
    await sleep(RECONNECT_MS);
  }
}

/** Whether the server ends the stream because the game is gone. The position says nothing about a later one of its name. */
function isOfDeletedGame({ name, data }: StreamedEvent): boolean {
  return name === 'end' && valueAt(data, ['reason']) === 'deleted';
}

/** Reads `id`, `event` and `data`; the position in the first comment counts as an id. */
async function* eventsIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamedEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    if (text.length > MAX_EVENT_CHARACTERS) throw strange(`has more than ${MAX_EVENT_CHARACTERS} characters`);
    for (const block of blocks) yield toEvent(block.split('\n'));
  }
}

function toEvent(lines: readonly string[]): StreamedEvent {
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const start = lines.map((line) => /^: position (\d+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  const data = field('data');
  return { id: field('id') ?? start, name: field('event'), data: data === undefined ? undefined : readJson(data) };
}

function readJson(data: string): unknown {
  if (isTooDeep(data)) throw strange('is nested too deep');
  try {
    return parseJson(data);
  } catch {
    throw strange('is not JSON');
  }
}

function strange(problem: string): CommandError {
  return new CommandError(`an event in the reply ${problem}; is the endpoint a Respark server?`);
}
