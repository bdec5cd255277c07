import { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { type Administration, administer } from './administer.ts';
import { addSettingOptions } from './options.ts';
import { formatJson, formatTable } from './table.ts';
import { CommandError, type World } from './world.ts';

type AuditRecord = Awaited<ReturnType<Administration['auditLog']['find']>>[number];

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 100_000;

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function auditCommand(world: World): Command {
  const command = new Command('audit')
    .description('Show who changed what, oldest first: every call that changes something leaves a record.')
    .option('--player <id>', 'only what was done to this player')
    .option('--operation <name>', 'only calls of this operation')
    .option('--since <time>', 'only calls since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--limit <number>', `at most this many, the newest (1-${MAX_LIMIT})`, String(DEFAULT_LIMIT))
    .option('--json', 'print a JSON array; a record without outcome has null there')
    .addHelpText(
      'after',
      `
Example: who disconnected a player within the last hour
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
      const query = {
        playerId: player,
        operation,
        since: since === undefined ? undefined : parseSince(since, systemClock.now()),
        limit: parseLimit(limit),
      };
      const records = await administer(world, command, ({ auditLog }) => auditLog.find(query));
      if (json === true) world.stdout.write(formatJson(records.map(forScripts)));
      else if (records.length === 0) world.stdout.write('no record matches\n');
      else world.stdout.write(formatTable([HEAD, ...records.map(forPeople)]));
    });
  return addSettingOptions(command, ['dataDir']);
}

function parseSince(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  const time = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new CommandError(
    `--since must be a duration such as 30m, 1h or 2d, or a time such as 2026-01-31T12:00:00Z, got "${text}"`,
    { exitCode: 2 },
  );
}

function parseLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new CommandError(`--limit must be 1-${MAX_LIMIT}, got "${text}"`, { exitCode: 2 });
}

function forScripts({ at, outcome, ...intent }: AuditRecord): object {
  return { time: new Date(at).toISOString(), ...intent, outcome: outcome ?? null };
}

const HEAD = ['TIME', 'OPERATION', 'ACCESS KEY', 'FROM', 'RESOURCE', 'REQUEST', 'OUTCOME'];

function forPeople({ at, operation, accessKeyId, sourceAddress, resource, requestId, outcome }: AuditRecord): string[] {
  // Everything before its sixth part is the same in every ARN of a server.
  const name = resource.split(':').slice(5).join(':');
  const time = new Date(at).toISOString();
  return [time, operation, accessKeyId, sourceAddress, name || '-', requestId, describe(outcome)];
}

function describe(outcome: AuditRecord['outcome']): string {
  if (outcome === undefined) return 'unknown (the server stopped before it was written)';
  const { status, error, durationMs, successes, failures } = outcome;
  const facts = [error === undefined ? 'done' : `${status} ${error}`];
  if (successes !== undefined) facts.push(`${successes.length} closed`, `${failures?.length ?? 0} not proven closed`);
  return `${facts.join(', ')} (${durationMs} ms)`;
}
