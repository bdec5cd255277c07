import { Command } from 'commander';
import { EVERY_OPERATION } from '../../api/every-operation.ts';
import { auditRecordOnWire, listAuditRecords } from '../../api/own-operations/audit.ts';
import { serialize } from '../../api/shape.ts';
import { systemClock } from '../../clock.ts';
import { LOCAL_OPERATIONS } from '../../domain/local-changes.ts';
import { findNearest } from '../../nearest.ts';
import { shown } from '../../text.ts';
import { administer } from '../administer.ts';
import { addClientOptions, createClient, hasOwnEndpoint } from '../management-client.ts';
import { settingsOf } from '../options.ts';
import { patiently } from '../patiently.ts';
import { listAt, nextTokenIn, textAt } from '../reply.ts';
import { formatJson, formatJsonLine, formatTable } from '../table.ts';
import { parseCount, parseSince } from '../times.ts';
import { CommandError, type World } from '../world.ts';
import { auditVerifyCommand } from './audit-verify.ts';

const DEFAULT_LIMIT = 100;
/** All records that are shown are in memory at once. */
const MAX_LIMIT = 100_000;
/** The most records that one ListAuditRecords call returns. */
const MAX_PAGE = 100;
const MAX_SIMILAR = 3;

export function auditCommand(world: World): Command {
  const command = new Command('audit')
    // The options of "verify" are its own, although some have the same names.
    .enablePositionalOptions()
    .description(
      'Show who changed what, from where and with what outcome, oldest first. Every change leaves a record, and every kind of call that no policy allows.',
    )
    .option('--player <id>', 'only changes to this player')
    .option('--operation <name>', 'only changes by this operation')
    .option('--since <time>', 'only changes since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--limit <number>', `show at most this many of the newest records (1-${MAX_LIMIT})`, String(DEFAULT_LIMIT))
    .option('--json', 'print a JSON array, in which an unknown outcome is null')
    .addHelpText(
      'after',
      `
Example: see who disconnected a player within the last hour
  $ respark audit --player demo-player --operation DisconnectPlayer --since 1h`,
    )
    .action(async () => {
      const { player, operation, since, limit, json } = command.opts<{
        player?: string;
        operation?: string;
        since?: string;
        limit: string;
        json?: true;
      }>();
      if (operation !== undefined) warnOfUnknown(world, operation);
      const asked = {
        playerId: player,
        operation,
        since: since === undefined ? undefined : parseSince(since, systemClock.now()),
        limit: parseCount('--limit', limit, MAX_LIMIT),
      };
      const records = await readRecords(world, command, asked);
      if (json === true) world.stdout.write(formatJson(records.map(forScripts)));
      else if (records.length === 0) world.stdout.write('no records match\n');
      else world.stdout.write(formatTable([HEAD, ...records.map(forPeople)]));
    });
  command.addCommand(auditVerifyCommand(world));
  return addClientOptions(command);
}

/** No record may match such a name, unless another version of the server has written it. */
function warnOfUnknown(world: World, name: string): void {
  const known = [...EVERY_OPERATION.map((operation) => operation.name), ...LOCAL_OPERATIONS];
  if (known.includes(name)) return;
  const parts = known.filter((other) => other.toLowerCase().includes(name.toLowerCase()));
  const similar = parts.length > 0 ? parts : [findNearest(name, known) ?? []].flat();
  const hint =
    similar.length > 0 && similar.length <= MAX_SIMILAR
      ? `did you mean ${similar.join(' or ')}?`
      : `"respark api" lists those of calls, and on the server's machine there are ${LOCAL_OPERATIONS.join(', ')}`;
  world.stderr.write(`warning: there is no operation ${shown(name)}: ${hint}\n`);
}

interface Asked {
  readonly playerId: string | undefined;
  readonly operation: string | undefined;
  readonly since: number | undefined;
  readonly limit: number;
}

/** A record as ListAuditRecords returns it. */
interface AuditRecord {
  readonly Time: string;
  readonly RequestId: string;
  readonly Cause: string;
  readonly Actor: string;
  readonly SourceAddress: string;
  readonly Operation: string;
  readonly Resource: string;
  readonly PlayerId?: string;
  readonly Details?: Readonly<Record<string, string>>;
  readonly Outcome?: {
    readonly Status: number;
    readonly Error?: string;
    readonly DurationMicroseconds: number;
    readonly Connections?: readonly Readonly<Record<string, string>>[];
    readonly ConnectionsClosed?: readonly string[];
    readonly ConnectionsNotProvenClosed?: readonly string[];
    readonly Counts?: Readonly<Record<string, number>>;
  };
}

/**
 * The newest records, oldest first. They come from the server that the command line or the environment names, otherwise
 * from the server that runs on the data directory. If that one does not answer or refuses, or none runs, the command
 * reads the files of the data directory instead.
 */
async function readRecords(world: World, command: Command, asked: Asked): Promise<AuditRecord[]> {
  if (hasOwnEndpoint(world, command)) return await askServer(world, command, asked);
  const { dataDir } = settingsOf(world, command);
  if ((await world.localFiles.running(dataDir)) === undefined) return await readFiles(world, command, asked);
  // If the server refuses or does not answer, the files of this machine have the records too. Other errors are bugs.
  return await askServer(world, command, asked).catch((error: unknown) => {
    // Exit code 2 is a fault in what was asked, and the files would not answer it either.
    if (error instanceof CommandError && error.exitCode !== 2) return readFiles(world, command, asked);
    throw error;
  });
}

async function askServer(world: World, command: Command, asked: Asked): Promise<AuditRecord[]> {
  const client = await createClient(world, command);
  const { playerId: PlayerId, operation: Operation, since, limit } = asked;
  const Since = since === undefined ? undefined : new Date(since).toISOString();
  const records: AuditRecord[] = [];
  for (let next: unknown; records.length < limit; ) {
    const MaxResults = Math.min(MAX_PAGE, limit - records.length);
    const input = { PlayerId, Operation, Since, MaxResults, NextToken: next };
    const page = await patiently(() => client.call(listAuditRecords, input));
    for (const record of listAt<AuditRecord>(page, 'AuditRecords')) records.push(record);
    next = nextTokenIn(page, next);
    if (next === undefined) break;
  }
  return records.reverse();
}

/** Reads the files while a server may be running beside: the records are those that it has written so far. */
async function readFiles(world: World, command: Command, { limit, ...filter }: Asked): Promise<AuditRecord[]> {
  return await administer(world, command, async ({ auditLog }) => {
    type Query = Parameters<typeof auditLog.find>[0];
    const records: AuditRecord[] = [];
    for (let after: Query['after']; records.length < limit; ) {
      const page = await auditLog.find({ ...filter, order: 'newest_first', limit: limit - records.length, after });
      const { shape, toDetails } = auditRecordOnWire;
      records.push(...page.records.map((record) => serialize(shape, toDetails(record)) as AuditRecord));
      after = page.next;
      if (after === undefined) break;
    }
    return records.reverse();
  });
}

/** A record as `--json` prints it. Scripts rely on these names, which therefore differ from those of the API. */
function forScripts(record: AuditRecord): object {
  const { Outcome: outcome } = record;
  return {
    time: record.Time,
    requestId: record.RequestId,
    cause: record.Cause,
    actor: record.Actor,
    sourceAddress: record.SourceAddress,
    operation: record.Operation,
    resource: record.Resource,
    playerId: record.PlayerId,
    details: record.Details,
    outcome:
      outcome === undefined
        ? null
        : {
            status: outcome.Status,
            error: outcome.Error,
            durationMs: outcome.DurationMicroseconds / 1_000,
            successes: outcome.ConnectionsClosed,
            failures: outcome.ConnectionsNotProvenClosed,
            counts: outcome.Counts,
            connections: outcome.Connections?.map(({ Id, Outcome, Proof, ClosedAt, Node, Created }) => ({
              ...{ id: Id, outcome: Outcome, proof: Proof, closedAt: ClosedAt, node: Node, created: Created },
            })),
          },
  };
}

const HEAD = ['TIME', 'OPERATION', 'ACTOR', 'FROM', 'RESOURCE', 'REQUEST', 'OUTCOME'];

function forPeople(record: AuditRecord): string[] {
  // The first five parts are the same in every ARN of a server.
  const name = textAt(record, 'Resource').split(':').slice(5).join(':');
  const from = record.SourceAddress || record.Cause.toLowerCase();
  return [record.Time, record.Operation, record.Actor, from, name || '-', record.RequestId, describe(record)];
}

function describe({ Outcome: outcome, Details: details = {} }: AuditRecord): string {
  const known = Object.entries(details).map(([name, value]) => `${name}: ${asOneFact(value)}`);
  return [describeOutcome(outcome), ...known].join(', ');
}

/** The caller chooses some of the texts, which must not look like further facts that the server has written. */
function asOneFact(value: string): string {
  return /,[^,:]*:|^"/.test(value) ? formatJsonLine(value).trimEnd() : value;
}

function describeOutcome(outcome: AuditRecord['Outcome']): string {
  if (outcome === undefined) return 'unknown (still under way, or the server stopped before it was written)';
  const { Status, Error: error, DurationMicroseconds, ConnectionsClosed, ConnectionsNotProvenClosed = [] } = outcome;
  const { Counts = {} } = outcome;
  const facts = [error === undefined ? 'done' : `${Status} ${error}`];
  if (ConnectionsClosed !== undefined) {
    facts.push(`${ConnectionsClosed.length} closed`, `${ConnectionsNotProvenClosed.length} not proven closed`);
  }
  for (const [name, count] of Object.entries(Counts)) facts.push(`${name}: ${count}`);
  return `${facts.join(', ')} (${DurationMicroseconds / 1_000} ms)`;
}
