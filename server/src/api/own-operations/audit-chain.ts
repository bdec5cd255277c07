import type { LinkKind } from '../../audit-chain.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { integer, label, list, query, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const text = string({ min: 0, max: 4_194_304 });
const digest = string({ min: 64, max: 64 });
const number = integer({ min: 0 });
const writer = string({ min: 1, max: 64, pattern: '^[a-z0-9-]+$' });
const head = structure({ Hash: digest, Number: number }, ['Hash', 'Number']);

const chain = structure(
  { Base: head, Began: timestamp(), Head: head, Id: text, InstallationId: text, Writer: writer },
  ['Base', 'Began', 'Head', 'Id', 'InstallationId', 'Writer'],
);

const KINDS = { records: 'RECORDS', scripts: 'SCRIPTS', note: 'NOTE' } as const satisfies Record<LinkKind, string>;

const link = structure(
  {
    Content: digest,
    Digests: list(digest),
    Hash: digest,
    Items: list(structure({ RequestId: text, Text: text }, ['RequestId', 'Text'])),
    Kind: string({ enum: Object.values(KINDS) }),
    Note: text,
    Number: number,
    Previous: digest,
    Removed: text,
    RemovedBy: number,
    Time: timestamp(),
  },
  ['Content', 'Hash', 'Items', 'Kind', 'Number', 'Previous', 'Time'],
);

export const listAuditChains = ownOperation({
  name: 'ListAuditChains',
  http: { method: 'GET', path: '/respark/audit-chain' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({}),
  output: structure({ Chains: list(chain), Late: list(text), Strays: list(text), Unchained: number }, [
    'Chains',
    'Late',
    'Strays',
    'Unchained',
  ]),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Lists the chains of the audit log: one for the server, with PostgreSQL one for each node and one for all commands. `Head` is the newest link of each, and `Base` what its first link follows. `respark audit verify` walks through them, and docs/receipts.md says how another program can.',
    '`Unchained` counts the records from before there were chains. `Late` and `Strays` have request ids of some records that no server can have written so: in no link although there is a chain, or in a link that is not there.',
  ],
  async handler({ services, principal }) {
    const { chains, loose } = await services.auditChains.list(principal.holder);
    const { unchained, late, strays } = loose;
    return {
      Chains: chains.map(({ writer, id, installation, beganAt, number, hash, base }) => ({
        Base: { Hash: base.hash, Number: base.number },
        Began: beganAt,
        Head: { Hash: hash, Number: number },
        Id: id,
        InstallationId: installation,
        Writer: writer,
      })),
      Late: late,
      Strays: strays,
      Unchained: unchained,
    };
  },
});

export const listAuditLinks = ownOperation({
  name: 'ListAuditLinks',
  http: { method: 'GET', path: '/respark/audit-chain/{Writer}/link' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ After: query(number), MaxResults: query(integer({ min: 1, max: 100 })), Writer: label(writer) }, [
    'Writer',
  ]),
  output: structure({ Links: list(link) }, ['Links']),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Lists the links of a chain after the number `After`, in order, each with the texts of the items that say they are in it, so that a client can hash all of it by itself. A page with many items, or more than 64 KiB, ends early; an empty page means that there are no more links.',
    'Like ListAuditRecords the call covers all games, and its only resource is `*`.',
  ],
  async handler({ input, services, principal }) {
    const { Writer: writer, After: after = 0, MaxResults: limit = 100 } = input;
    const links = await services.auditChains.links({ writer, after, limit }, principal.holder);
    return {
      Links: links.map((link) => ({
        Content: link.content,
        Digests: link.digests,
        Hash: link.hash,
        Items: link.items.map(({ requestId, text }) => ({ RequestId: requestId, Text: text })),
        Kind: KINDS[link.kind],
        Note: link.note,
        Number: link.number,
        Previous: link.previous,
        Removed: link.removed,
        RemovedBy: link.removedBy,
        Time: link.at,
      })),
    };
  },
});
