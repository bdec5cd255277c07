import type { AuditedConnection, AuditRecord } from '../../domain/audit/records.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { maxResults, NAME_PATTERN, nextToken, playerId } from '../operations/shapes.ts';
import { wireErrorOf } from '../reply.ts';
import { integer, list, map, query, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

/** Long enough for the longest ARN. */
const text = string({ min: 0, max: 2_048 });
const connectionIds = list(string({ min: 1, max: 36 }));
const dateTime = timestamp();

const connections = list(
  structure({ ClosedAt: dateTime, Created: dateTime, Id: text, Node: text, Outcome: text, Proof: text }),
);

const outcome = structure({
  Connections: connections,
  ConnectionsClosed: connectionIds,
  ConnectionsNotProvenClosed: connectionIds,
  Counts: map(text, integer({ min: 0 })),
  DurationMicroseconds: integer({ min: 0 }),
  Error: text,
  Status: integer({ min: 100, max: 599 }),
});

const record = structure({
  Actor: text,
  Cause: string({ enum: ['OPERATOR', 'SCRIPT', 'SERVER'] }),
  Details: map(text, string({ min: 0, max: 8_192 })),
  Operation: text,
  Outcome: outcome,
  PlayerId: playerId,
  RequestId: text,
  Resource: text,
  SourceAddress: text,
  Time: dateTime,
});

export const listAuditRecords = ownOperation({
  name: 'ListAuditRecords',
  http: { method: 'GET', path: '/respark/audit-record' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({
    Actor: query(string({ min: 1, max: 512 })),
    MaxResults: query(maxResults),
    NextToken: query(nextToken),
    Operation: query(string({ min: 1, max: 64, pattern: NAME_PATTERN })),
    Order: query(string({ enum: ['NEWEST_FIRST', 'OLDEST_FIRST'] })),
    PlayerId: query(playerId),
    Since: query(dateTime),
    Until: query(dateTime),
  }),
  output: structure({ AuditRecords: list(record), NextToken: nextToken }),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Lists what was changed, by which principal (`Actor`, such as an access key id), from where and with what outcome. Records are listed newest first unless `Order` says otherwise; `Since` is inclusive, `Until` is exclusive.',
    'Calls that no policy allows are listed with `AccessDeniedException`; `Details` have the action. The first ten different ones of a key in a minute have a record each. Repetitions, and what exceeds the ten, are counted: at the end of the minute one record for each has the `count`, beside what the latest of these calls asked for. While all keys together are denied more than a thousand different things in a minute, a key has a record of the first, and one of the others, in which `actions` is `several`.',
    'Changes that were made on the server’s machine are listed too: `CreateAccessKey`, `RevokeAccessKey`, `RotateRootAccessKey`, `RotateSecretKey`, `CreateConsoleLink`, `RestoreBackup` and `CopyStore` by commands (the first two also by calls of their own), `CreateRootAccessKey` by the first start, and `ChangeRootAccessKey` by a start with another root key in its settings than the last. The `Actor` of what is no call is the user of the operating system, such as `uid=1000(alice)`. The `Actor` of a CreateAccessKey by which somebody has signed in at an identity provider is the issuer and the subject of their ID token, and `Details` has their name, role and group. `policySha256` in the `Details` of a new key is the SHA-256 of its policy document.',
    '`Connections` in the `Outcome` of a DisconnectPlayer that asked for details has what its reply had, so that a record tells how the end of each connection was proven. `Counts` in that of a notification are the connections that it `reached`, or would have reached in a dry run, and the `silentNodes` that did not say.',
    'If a record has no `Outcome`, the outcome of the change is unknown: it is still under way, or the server stopped before recording it.',
    'One call examines at most 5,000 records (with PostgreSQL 50,000), and a page ends early when it has more than 64 KiB, so a page may have few records, or none, and still have a `NextToken`. A search by `Actor`, `Operation` or `PlayerId` takes a share of a node’s time, and is a `ThrottlingException` while too many wait: `Since` and `Until` need none.',
    'The log covers all games, so policies cannot restrict the call to one: its only resource is `*`. As in IAM, an `Allow` of all actions, or one with `NotAction`, includes it, and a `Deny` on a game does not hide the records of that game: deny `respark:ListAuditRecords` to keys that must not read them.',
  ],
  async handler({ input, services, principal }) {
    const order = input.Order === 'OLDEST_FIRST' ? 'oldest_first' : 'newest_first';
    const filter = {
      actor: input.Actor,
      operation: input.Operation,
      playerId: input.PlayerId,
      since: input.Since,
      until: input.Until,
    };
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.auditRecords.list({ ...filter, order }, request, principal.holder);
    return { AuditRecords: page.items.map(toDetails), NextToken: page.nextToken };
  },
});

const CAUSES = { operator: 'OPERATOR', script: 'SCRIPT', server: 'SERVER' } as const satisfies Record<
  AuditRecord['cause'],
  string
>;

function toDetails({
  at,
  requestId,
  cause,
  actor,
  sourceAddress,
  operation,
  resource,
  playerId,
  details,
  outcome,
}: AuditRecord) {
  return {
    Actor: actor,
    Cause: CAUSES[cause],
    Details: details,
    Operation: operation,
    Outcome: outcome && toOutcome(outcome),
    PlayerId: playerId,
    RequestId: requestId,
    Resource: resource,
    SourceAddress: sourceAddress,
    Time: at,
  };
}

/** Durations are whole microseconds, because the API's numbers are integers. */
function toOutcome(outcome: NonNullable<AuditRecord['outcome']>) {
  const { error, durationMs, successes, failures, connections: each, counts } = outcome;
  const { status, name } = error === undefined ? { status: 200, name: undefined } : wireErrorOf(error);
  return {
    Connections: each?.map(toConnection),
    ConnectionsClosed: successes,
    ConnectionsNotProvenClosed: failures,
    Counts: counts,
    DurationMicroseconds: Math.round(durationMs * 1_000),
    Error: name,
    Status: status,
  };
}

/** Outcomes and proofs have the names that the reply of DisconnectPlayer gives them. */
function toConnection({ id, outcome, proof, closedAt, node, createdAt }: AuditedConnection) {
  return {
    ClosedAt: closedAt,
    Created: createdAt,
    Id: id,
    Node: node,
    Outcome: outcome.toUpperCase(),
    Proof: proof?.toUpperCase(),
  };
}

/** What makes a record look as it does in a reply, for a reader of the log that has no server to ask. */
export const auditRecordOnWire = { shape: record, toDetails };
