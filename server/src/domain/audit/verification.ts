import type { ChainReader } from '../../store/audit/audit-log.ts';
import { ChainWalk, type Finding, type KnownLink, type Report, type VerifiedChain } from './chain-walk.ts';

export type { ChainReader } from '../../store/audit/audit-log.ts';

/** Findings beyond these are only counted. */
const MAX_FINDINGS = 1_000;
const MAX_WALKS = 5;

export interface Verification {
  readonly chains: readonly VerifiedChain[];
  /** Records from before there were chains, about which nothing can be said. */
  readonly unchained: number;
  /** What is known from elsewhere and cannot be looked at any more, because it was removed for its age or the log's size. */
  readonly outdated: readonly string[];
  /** What is known from elsewhere of records that were removed for their age or the log's size. */
  readonly removed: readonly string[];
  /** What is known from elsewhere and is so in the log. */
  readonly confirmed: readonly string[];
  /** The first of them. */
  readonly findings: readonly Finding[];
  readonly findingsInAll: number;
}

/**
 * Walks through all chains of a log, in pages, and looks for whatever the server never does to it. `since` leaves out the
 * links from before. Nothing of it needs a server, or trusts one.
 */
export async function verifyAudit({
  reader,
  known = [],
  since,
  now = Number.POSITIVE_INFINITY,
  progress = () => {},
}: {
  reader: ChainReader;
  known?: readonly KnownLink[];
  since?: number | undefined;
  /** The time, if a clock is at hand: no removal can be from later. */
  now?: number;
  /** Called after each page with the number of links that were looked at, and how many there are. */
  progress?: (done: number, all: number) => void;
}): Promise<Verification> {
  const findings: Finding[] = [];
  let findingsInAll = 0;
  const report: Report = (finding) => {
    findingsInAll += 1;
    if (findings.length < MAX_FINDINGS) findings.push(finding);
  };
  const chains = await reader.chains();
  const all = chains.reduce((sum, { number, base }) => sum + number - base.number, 0);
  let done = 0;
  const outdated: string[] = [];
  const removed: string[] = [];
  const confirmed: string[] = [];
  const verified: ReturnType<ChainWalk['result']>[] = [];
  for (const { writer } of chains) {
    const tell = (links: number) => progress(done + links, all);
    const { walk, found } = await walkPatiently({ reader, writer, known, since, now, progress: tell });
    for (const finding of found) report(finding);
    const result = walk.result();
    done += result.links;
    outdated.push(...walk.outdated);
    removed.push(...walk.removed);
    confirmed.push(...new Set([...walk.confirmed].map((link) => confirmation(link, result))));
    verified.push(result);
  }
  // A receipt names two links, often of one chain.
  const absent = known.filter(({ chain }) => !chains.some(({ id }) => id === chain));
  const told = absent.map(({ chain, source }) => `${source} is in the chain ${chain}, which is not there at all`);
  for (const message of new Set(told)) report({ kind: 'cut_off', writer: '', message });
  const loose = await reader.looseRecords();
  for (const requestId of loose.strays) {
    const message = `the record ${requestId} says that it is in a link which is not there`;
    report({ kind: 'inserted', writer: '', requestId, message });
  }
  for (const requestId of loose.late) {
    const message = `the record ${requestId} is in no link, and newer than the chain that would have it`;
    report({ kind: 'inserted', writer: '', requestId, message });
  }
  // Links may have come while the log was read, and a head that is kept must not name one that a loss of power takes away.
  await reader.chains();
  const [only] = verified;
  if (verified.length === 1 && only?.unchained !== undefined) {
    const expected = only.unchained;
    const kind = loose.unchained > expected ? 'inserted' : 'removed';
    const message = `there are ${loose.unchained} records from before the chain, but its links say ${expected}`;
    if (loose.unchained !== expected && since === undefined) report({ kind, writer: only.writer, message });
  }
  return {
    chains: verified.map(plain),
    unchained: loose.unchained,
    outdated,
    removed,
    confirmed,
    findings,
    findingsInAll,
  };
}

/** Walks again when the server has removed records meanwhile, because then what was read does not fit together. */
async function walkPatiently({
  reader,
  writer,
  known,
  progress,
  ...times
}: {
  reader: ChainReader;
  writer: string;
  known: readonly KnownLink[];
  since: number | undefined;
  now: number;
  progress: (links: number) => void;
}): Promise<{ walk: ChainWalk; found: readonly Finding[] }> {
  for (let attempt = 1; ; attempt += 1) {
    const chain = (await reader.chains()).find((each) => each.writer === writer);
    if (chain === undefined) throw new Error(`the chain of ${writer} has gone while it was read`);
    const found: Finding[] = [];
    const walk = new ChainWalk({
      ...{ reader, chain, known: known.filter((link) => link.chain === chain.id) },
      report: (finding) => void found.push(finding),
    });
    await walk.run({ ...times, progress });
    if (found.length === 0 || !walk.hasMoved || attempt === MAX_WALKS) return { walk, found };
  }
}

function confirmation({ number, source }: KnownLink, { writer, number: last }: VerifiedChain): string {
  const follow = last - number === 1 ? '1 link follows it' : `${last - number} links follow it`;
  return `link ${number} of the chain of ${writer} is the one that ${source} names, and ${follow}`;
}

function plain({ writer, id, installation, number, hash, links, items, removals }: VerifiedChain): VerifiedChain {
  return { writer, id, installation, number, hash, links, items, removals };
}
