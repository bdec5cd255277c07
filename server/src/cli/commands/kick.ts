import type { Command } from 'commander';
import { disconnectPlayer } from '../../api/operations/players.ts';
import { getServerInfo } from '../../api/own-operations/server.ts';
import { printable } from '../../text.ts';
import { writeOutputFile } from '../files.ts';
import type { ManagementClient } from '../management-client.ts';
import { type PlayerInput, playerCommand } from '../player-call.ts';
import { listAt, textAt, valueAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { parseDurationSeconds } from '../times.ts';
import { CommandError, type World } from '../world.ts';

interface KickOptions {
  readonly reason?: string;
  readonly message?: string;
  readonly evidence?: string;
  readonly connection?: readonly string[];
  readonly except?: readonly string[];
  readonly block?: string;
  readonly dryRun?: true;
  readonly receipt?: string;
  readonly json?: true;
}

interface Outcome {
  readonly Id: string;
  readonly Outcome: string;
  readonly Proof?: string;
  readonly Node?: string;
  readonly Created?: string;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  CLOSED: 'closed',
  GONE_ALREADY: 'gone already',
  UNPROVEN: 'unproven',
  WOULD_CLOSE: 'would close',
};

const PROOFS: Readonly<Record<string, string>> = {
  CLOSE_FRAME_ACCEPTED: 'its close frame is on its way',
  SOCKET_DESTROYED: 'its socket is destroyed, so the player may not know why',
  ALREADY_ENDED: 'its node had it no more',
  NOT_LISTED: 'the directory does not list it',
  OWNER_DEAD: 'its node is dead',
};

/** What the server must know, or it would close everything. */
const FEATURE = 'disconnect-orders';

const collect = (id: string, ids: readonly string[] = []) => [...ids, id];

export function kickCommand(world: World): Command {
  const command = playerCommand('kick', world, async (client, player, isJson) => {
    const options = command.opts<KickOptions>();
    await checkServer(client, options);
    const reply = await client.call(disconnectPlayer, { ...player, ...orderOf(options) });
    // Without this list it is the reply of another service, which has closed nothing.
    listAt(reply, 'DisconnectSuccesses');
    if (valueAt(reply, ['OperationId']) === undefined) {
      throw new CommandError(
        'the server is of an earlier version: it has closed all connections of the player, and has told nobody why',
      );
    }
    const outcomes = listAt<Outcome>(reply, 'Connections');
    const block = describeBlock(reply);
    const none =
      options.connection === undefined && options.except === undefined ? 'no connections' : 'no such connections';
    const id = textAt(reply, 'OperationId');
    world.stdout.write(isJson ? formatJson(reply) : describe(player, { outcomes, none, id }) + block);
    const missing = await keepReceipt(reply, options);
    const unproven = outcomes.filter(({ Outcome: outcome }) => outcome === 'UNPROVEN').length;
    // The reply has been printed by now, so that scripts get it although the command fails.
    if (unproven === 0) {
      if (missing !== undefined) throw new CommandError(missing);
      return;
    }
    throw new CommandError(
      `${count(unproven)} could not be proven closed in time; run the command again, which is safe`,
    );
  })
    .option('--reason <code>', 'a code of the game’s for its client, 1-64 characters')
    .option('--message <text>', 'what the player is shown, at most 500 characters')
    .option('--evidence <text>', 'what the staff know of the matter; only the audit record gets it')
    .option('--connection <id>', 'close only this connection; may be given again', collect)
    .option('--except <id>', 'close all connections but this one; may be given again', collect)
    .option('--block <duration>', 'keep the player out too, for 30m, 2h or 7d; "respark block" does it for good')
    .option('--receipt <file>', 'write the receipt of the call to this file; --json has it in any case')
    .option('--dry-run', 'close nothing, and list what would be closed')
    .description('Close connections of a player, tell the player why, and report what became of each.')
    .addHelpText(
      'after',
      `
Example:
  $ respark kick --game Demo --stage Dev --player demo-player --reason AFK --message "You were away for too long."

Without --block it is not a ban: the player may connect again at once.
Exit codes: 0 all have ended, or there were none; 1 some could not be proven closed, or the call failed; 2 wrong usage.`,
    );
  return command;
}

/** An earlier version ignores what it does not know, and would close what it must not. */
async function checkServer(
  client: ManagementClient,
  { connection, except, block, dryRun }: KickOptions,
): Promise<void> {
  if ((connection ?? except ?? block ?? dryRun) === undefined) return;
  const features = listAt<string>(await client.call(getServerInfo, {}), 'Features');
  if (features.includes(FEATURE)) return;
  throw new CommandError(
    'the server is of an earlier version, which would close all connections of the player and no more; leave out --connection, --except, --block and --dry-run',
  );
}

function orderOf({ reason, message, evidence, connection, except, block, dryRun, receipt, json }: KickOptions) {
  return {
    ...{ Reason: reason, Message: message, Evidence: evidence },
    ...{ ConnectionIds: connection, ExceptConnectionIds: except, DryRun: dryRun, Details: true },
    ...((receipt !== undefined || json === true) && { Receipt: true }),
    ...(block !== undefined && { BlockSeconds: parseDurationSeconds('--block', block) }),
  };
}

function describe(
  { PlayerId: player }: PlayerInput,
  { outcomes, none, id }: { readonly outcomes: readonly Outcome[]; readonly none: string; readonly id: string },
): string {
  const record = `(on record as ${id})`;
  if (outcomes.length === 0) return `${printable(`player ${player} has ${none} ${record}`)}\n`;
  const rows = outcomes.map(({ Id, Outcome: outcome, Proof: proof, Created: created }) => [
    `  ${OUTCOMES[outcome] ?? outcome}`,
    Id,
    created === undefined ? '' : `since ${created}`,
    proof === undefined ? '' : (PROOFS[proof] ?? proof),
  ]);
  return `${printable(`player ${player}: ${count(outcomes.length)} ${record}`)}\n${formatTable(rows)}`;
}

/** Until when the player is kept out; nothing unless a block was asked for. */
function describeBlock(reply: unknown): string {
  const isBlocked = valueAt(reply, ['Blocked']);
  if (isBlocked === undefined) return '';
  return isBlocked === true ? `  blocked until ${printable(textAt(reply, 'BlockedUntil'))}\n` : '  not blocked\n';
}

/** Writes the receipt where it was asked for; resolves with what to say when there is none. */
async function keepReceipt(reply: unknown, { receipt: file }: KickOptions): Promise<string | undefined> {
  if (file === undefined) return;
  const missing = valueAt(reply, ['ReceiptMissing']);
  if (missing === undefined) {
    await writeOutputFile(file, `${textAt(reply, 'Receipt')}\n`);
    return;
  }
  return printable(
    `the call is done, but its receipt is not there yet: ${missing} (respark receipt get ${textAt(reply, 'OperationId')})`,
  );
}

function count(connections: number): string {
  return `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
}
