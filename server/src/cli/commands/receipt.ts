import { Command } from 'commander';
import { getReceipt, getReceiptKey } from '../../api/own-operations/receipts.ts';
import {
  ReceiptFault,
  type ReceiptOutcome,
  type ReceiptPayload,
  readReceipt,
  readReceiptKey,
} from '../../domain/audit/receipt-verification.ts';
import { printable } from '../../text.ts';
import { readInputText } from '../files.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { textAt, valueAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { CommandError, type World } from '../world.ts';

export function receiptCommand(world: World): Command {
  return new Command('receipt')
    .description('Get receipts for calls that are on record, and verify them anywhere with the public key alone.')
    .addCommand(getCommand(world))
    .addCommand(keyCommand(world))
    .addCommand(verifyCommand(world))
    .addHelpText('after', '\nExample:\n  $ respark receipt verify receipt.jws --key receipts.jwk');
}

function getCommand(world: World): Command {
  const command = new Command('get')
    .description('Print the receipt for a call: a compact JWS, signed with the key of the installation.')
    .argument('<request-id>', 'the request id of the call, as its reply and "respark audit" have it')
    .option('--json', "print the server's reply")
    .addHelpText(
      'after',
      `
Example: keep the receipt of the newest disconnect
  $ id=$(respark audit --operation DisconnectPlayer --limit 1 --json | jq -r '.[0].requestId')
  $ respark receipt get "$id" > receipt.jws`,
    )
    .action(async (requestId: string) => {
      const client = await createClient(world, command);
      const reply = await client.call(getReceipt, { RequestId: requestId });
      world.stdout.write(command.opts().json === true ? formatJson(reply) : `${printable(textAt(reply, 'Receipt'))}\n`);
    });
  return addClientOptions(command);
}

function keyCommand(world: World): Command {
  const command = new Command('key')
    .description('Print the public key that receipts are verified with, as a JWK.')
    .option('--pem', 'print it as PEM')
    .option('--json', "print the server's reply, which has both")
    .addHelpText(
      'after',
      '\nExample: give the key to those who shall verify receipts\n  $ respark receipt key > receipts.jwk',
    )
    .action(async () => {
      const { pem, json } = command.opts<{ pem?: true; json?: true }>();
      const client = await createClient(world, command);
      const reply = await client.call(getReceiptKey, {});
      if (json === true) world.stdout.write(formatJson(reply));
      else if (pem === true) world.stdout.write(textAt(reply, 'Pem').split('\n').map(printable).join('\n'));
      else world.stdout.write(formatJson(Object(valueAt(reply, ['Jwk']))));
    });
  return addClientOptions(command);
}

function verifyCommand(world: World): Command {
  return new Command('verify')
    .description('Verify a receipt with the public key alone: no server, no data directory and no network are needed.')
    .argument('<file>', 'the receipt, or - for stdin')
    .requiredOption('--key <file>', 'the public key: a JWK, as "respark receipt key" prints it, or PEM')
    .option('--json', 'print what the receipt says as JSON')
    .addHelpText('after', '\nExample:\n  $ respark receipt verify receipt.jws --key receipts.jwk')
    .action(async (file: string, { key: keyFile, json }: { key: string; json?: true }) => {
      const [receipt, keyText] = [
        await readInputText(world, file, 'receipt'),
        await readInputText(world, keyFile, '--key'),
      ];
      const payload = verified(file, receipt, keyFile, keyText);
      world.stdout.write(json === true ? formatJson(payload) : describe(payload));
    });
}

function verified(file: string, receipt: string, keyFile: string, keyText: string): ReceiptPayload {
  let key: ReturnType<typeof readReceiptKey>;
  try {
    key = readReceiptKey(keyText);
  } catch (error) {
    if (!(error instanceof ReceiptFault)) throw error;
    throw new CommandError(`cannot use the key ${keyFile}: ${error.message}`, { cause: error });
  }
  try {
    return readReceipt(receipt, key);
  } catch (error) {
    if (!(error instanceof ReceiptFault)) throw error;
    throw new CommandError(printable(`the receipt ${file} does not count: ${error.message}`), { cause: error });
  }
}

/** What a receipt says, a line each. Somebody else may have chosen the names in it. */
function describe(payload: ReceiptPayload): string {
  const { actor, cause, operation, resource, game, stage, player, time, details = {}, outcome, chain } = payload;
  const who = cause === 'operator' ? actor : `${actor} (${cause})`;
  const place = [stage && `stage ${stage}`, game && `game ${game}`].filter(Boolean).join(' of ');
  const whom = [player && `player ${player}`, place].filter(Boolean).join(', ');
  const lines = [
    `The signature is good: installation ${payload.installation} says that`,
    `  who      ${who}`,
    `  did      ${operation}`,
    `  to       ${whom || resource || 'the server'}`,
    `  when     ${time}`,
    ...Object.entries(details).map(([name, value]) => `  ${name.padEnd(8)} ${value}`),
    `  outcome  ${describeOutcome(outcome)}`,
    ...connectionsOf(outcome).map((connection) => `           ${connection}`),
    `  request  ${payload.requestId}`,
    `  on record in ${linksOf(chain)} of the audit chain ${chain.id} of ${chain.writer}`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

/** What was to be done and what came of it are often in one link. */
function linksOf({ intent, outcome }: ReceiptPayload['chain']): string {
  const [first, second] = [intent, outcome].map((link) => (link === null ? 'no link' : `link ${link.link}`));
  return first === second ? `${first}` : `${first} and ${second}`;
}

function describeOutcome(outcome: ReceiptPayload['outcome']): string {
  if (outcome === null) return 'not known when the receipt was made';
  return outcome.result === 'done' ? 'done' : `failed: ${outcome.error}`;
}

function connectionsOf(outcome: ReceiptPayload['outcome']): string[] {
  const { connections, successes = [], failures = [] }: Partial<ReceiptOutcome> = outcome ?? {};
  if (Array.isArray(connections)) {
    return connections.map((connection: object) => {
      const facts = Object.entries(connection).map(([name, value]) => `${name} ${value}`);
      return `connection: ${facts.join(', ')}`;
    });
  }
  return [
    ...successes.map((id) => `connection ${id}: closed`),
    ...failures.map((id) => `connection ${id}: not proven closed`),
  ];
}
