import { Command } from 'commander';
import { listAuditChains, listAuditLinks } from '../../api/own-operations/audit-chain.ts';
import type { LinkKind } from '../../audit-chain.ts';
import { systemClock } from '../../clock.ts';
import type { KnownLink } from '../../domain/audit/chain-walk.ts';
import type { ReceiptPayload } from '../../domain/audit/receipt-verification.ts';
import { timeOf } from '../../domain/audit/removals.ts';
import { type ChainReader, type Verification, verifyAudit } from '../../domain/audit/verification.ts';
import { printable } from '../../text.ts';
import { administer } from '../administer.ts';
import { readInputText } from '../files.ts';
import { addClientOptions, createClient, hasOwnEndpoint } from '../management-client.ts';
import { settingsOf } from '../options.ts';
import { patiently } from '../patiently.ts';
import { listAt, textAt, valueAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { parseSince } from '../times.ts';
import { CommandError, type World } from '../world.ts';

const PROGRESS_MS = 2_000;

export function auditVerifyCommand(world: World): Command {
  const command = new Command('verify')
    .description(
      'Verify that nothing was removed from the audit log, changed, reordered or put into it. Exit code 1 when something was.',
    )
    .option('--since <time>', 'only what was written since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--receipt <file...>', 'receipts: the log must have what they say, so that a cut end is found')
    .option('--head <file...>', 'what earlier runs with --json printed: the log must go on from there')
    .option('--offline', 'read the data directory, or the database of the settings, and ask no server')
    .option('--json', 'print a JSON object')
    .addHelpText(
      'after',
      `
Examples: keep what is there today, and verify tomorrow that the log goes on from there
  $ respark audit verify --json > today.json
  $ respark audit verify --head today.json

Who can write to the files can also write a whole chain again: only receipts, or heads that are kept elsewhere, show that.`,
    )
    .action(async () => {
      const options = command.opts<{
        since?: string;
        receipt?: string[];
        head?: string[];
        offline?: true;
        json?: true;
      }>();
      const known = [
        ...(await knownOf(world, options.receipt, receiptLinks)),
        ...(await knownOf(world, options.head, headLinks)),
      ];
      const since = options.since === undefined ? undefined : parseSince(options.since, systemClock.now());
      const progress = reportLinks(world);
      const verification = await withReader(world, command, options.offline === true, (reader) =>
        verifyAudit({ reader, known, since, now: systemClock.now(), progress }),
      );
      const { findings, findingsInAll } = verification;
      world.stdout.write(
        options.json === true ? formatJson(verification) : describe(verification, options.receipt !== undefined),
      );
      if (findings.length === 0) return;
      throw new CommandError(
        `the audit log is not as it was written: ${findingsInAll} ${findingsInAll === 1 ? 'finding' : 'findings'}`,
      );
    });
  return addClientOptions(command);
}

/** The server that the command line or the environment names, or that runs here; otherwise the files or the database. */
async function withReader<T>(
  world: World,
  command: Command,
  isOffline: boolean,
  work: (reader: ChainReader) => Promise<T>,
): Promise<T> {
  const isAsked =
    hasOwnEndpoint(world, command) ||
    (await world.localFiles.running(settingsOf(world, command).dataDir)) !== undefined;
  if (isOffline || !isAsked) return await administer(world, command, ({ auditLog }) => work(auditLog.chain));
  const client = await createClient(world, command);
  const read = (operation: typeof listAuditChains, input: Parameters<typeof client.call>[1]) =>
    patiently(() => client.call(operation, input));
  return await work(readerOf(read));
}

type Read = (operation: typeof listAuditChains, input: Record<string, string | number>) => Promise<unknown>;

interface Head {
  readonly Number: number;
  readonly Hash: string;
}

const KINDS: Readonly<Record<string, LinkKind>> = { RECORDS: 'records', SCRIPTS: 'scripts', NOTE: 'note' };

function headOf(chain: unknown, which: 'Head' | 'Base'): { number: number; hash: string } {
  return { number: Number(valueAt(chain, [which, 'Number'])), hash: textAt(chain, which, 'Hash') };
}

function readerOf(read: Read): ChainReader {
  return {
    async chains() {
      type Chain = Record<'Id' | 'InstallationId' | 'Writer' | 'Began', string> & Record<'Base' | 'Head', Head>;
      return listAt<Chain>(await read(listAuditChains, {}), 'Chains').map((chain) => ({
        ...{ writer: chain.Writer, id: chain.Id, installation: chain.InstallationId, beganAt: Date.parse(chain.Began) },
        ...headOf(chain, 'Head'),
        base: headOf(chain, 'Base'),
      }));
    },
    async links({ writer, after, limit }) {
      type Link = Record<'Number' | 'RemovedBy', number> &
        Record<'Time' | 'Kind' | 'Previous' | 'Hash' | 'Content' | 'Note' | 'Removed', string> & {
          Digests?: string[];
          Items: { RequestId: string; Text: string }[];
        };
      const reply = await read(listAuditLinks, { Writer: writer, After: after, MaxResults: limit });
      const links = listAt<Link>(reply, 'Links');
      if (links.some((link) => !(link.Number > after))) {
        throw new CommandError('the reply has links that were read already; is the endpoint a Respark server?');
      }
      return links.map((link) => ({
        ...{ number: link.Number, at: Date.parse(link.Time), kind: KINDS[link.Kind] ?? 'note' },
        ...{ previous: link.Previous, hash: link.Hash, content: link.Content, digests: link.Digests },
        ...{ note: link.Note, removed: link.Removed, removedBy: link.RemovedBy },
        items: listAt<Link['Items'][number]>(link, 'Items').map(({ RequestId, Text }) => ({
          requestId: RequestId,
          text: Text,
        })),
      }));
    },
    async looseRecords() {
      const reply = await read(listAuditChains, {});
      const [late, strays] = [listAt<string>(reply, 'Late'), listAt<string>(reply, 'Strays')];
      return { unchained: Number(valueAt(reply, ['Unchained'])), late, strays };
    },
    place: async () => undefined,
  };
}

async function knownOf(
  world: World,
  files: readonly string[] = [],
  linksOf: (text: string, file: string) => KnownLink[],
): Promise<KnownLink[]> {
  const known: KnownLink[] = [];
  for (const file of files) {
    try {
      known.push(...linksOf(await readInputText(world, file, 'file'), file));
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(`${file} is neither a receipt nor what "respark audit verify --json" prints`, {
        cause: error,
      });
    }
  }
  return known;
}

/** What a receipt says of the chain. Its signature is another matter: "respark receipt verify" looks at that. */
function receiptLinks(text: string, file: string): KnownLink[] {
  const payload: ReceiptPayload = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8'));
  const { id: chain, intent, outcome } = payload.chain;
  const about = { source: `the receipt ${file}`, recordAt: Date.parse(payload.time) };
  return [intent, outcome].flatMap((link) => {
    if (link === null) return [];
    return [{ chain, number: link.link, hash: link.hash, digests: [link.digest], ...about }];
  });
}

function headLinks(text: string, file: string): KnownLink[] {
  const { chains }: Pick<Verification, 'chains'> = JSON.parse(text);
  if (chains.length === 0) {
    const advice = 'print it anew with "respark audit verify --json"';
    throw new CommandError(`${file} has no head: the audit log had no chain yet when it was printed; ${advice}`);
  }
  return chains.map(({ id, number, hash }) => ({
    chain: id,
    number,
    hash,
    digests: [],
    source: `the head in ${file}`,
  }));
}

function reportLinks({ stderr }: Pick<World, 'stderr'>): (done: number, all: number) => void {
  let nextAt = performance.now() + PROGRESS_MS;
  return (done, all) => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + PROGRESS_MS;
    stderr.write(`verified ${done} of ${all} links\n`);
  };
}

function describe(
  { chains, unchained, outdated, removed, confirmed, findings, findingsInAll }: Verification,
  hasReceipts: boolean,
): string {
  const lines = chains.flatMap(({ writer, id, number, links, items, removals }) => [
    `chain ${id} of ${writer}: ${links} links up to number ${number}, with ${items} intents and outcomes`,
    ...removals.map(({ records, reason, before, onlyScripts }) => {
      const what = onlyScripts ? 'records of scripts' : 'records';
      const why = reason === 'retention' ? 'their age' : 'the size of the log';
      return `  ${records} ${what} were removed for ${why}, the last from before ${timeOf(before)}`;
    }),
  ]);
  if (unchained > 0)
    lines.push(`${unchained} records are from before there were chains: nothing can be said about them`);
  lines.push(...outdated.map((text) => `${text}, so it says nothing here`));
  lines.push(...removed, ...confirmed);
  if (hasReceipts) lines.push('the signatures of receipts are another matter: "respark receipt verify" looks at them');
  lines.push(
    ...findings.map(
      ({ kind, writer, message }) => `${kind.toUpperCase()} ${[writer, message].filter(Boolean).join(': ')}`,
    ),
  );
  if (findingsInAll > findings.length) lines.push(`and ${findingsInAll - findings.length} more`);
  if (findings.length === 0) lines.push('nothing was removed, changed, reordered or put in');
  return `${lines.map(printable).join('\n')}\n`;
}
