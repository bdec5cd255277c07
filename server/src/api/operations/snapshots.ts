import type { Snapshot } from '../../domain/snapshots.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, list, PreparedJson, query, structure } from '../shape.ts';
import { gameResource, gameTags, snapshotAudited } from './resources.ts';
import {
  dateTime,
  description,
  downloadUrl,
  gameName,
  maxResults,
  nextToken,
  sectionNames,
  sections,
  snapshotId,
} from './shapes.ts';

const snapshotDetails = structure({
  Created: dateTime,
  Description: description,
  Id: snapshotId,
  LastUpdated: dateTime,
  Sections: sections,
});

const snapshotSummary = structure({
  Created: dateTime,
  Description: description,
  Id: snapshotId,
  LastUpdated: dateTime,
});

export const createSnapshot = operation({
  name: 'CreateSnapshot',
  http: { method: 'POST', path: '/game/{GameName}/snapshot' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ Description: description, GameName: label(gameName) }, ['GameName']),
  output: structure({ Snapshot: snapshotDetails }),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'The id is the time of the snapshot to six digits after the second. Within a game every id is unique and greater than all earlier ones, even if many calls arrive at once.',
    'A snapshot can be made of an empty configuration, or of one with faults: only a deployment checks what it means.',
    'The reply contains the sections with their attributes.',
    'A game can have `RESPARK_MAX_SNAPSHOTS` snapshots; one more is a `ConflictException`, because the model gives this operation no quota error. So is one beyond `RESPARK_MAX_GAME_BYTES` or `RESPARK_MAX_STORED_BYTES`. Snapshots stay until their game is deleted or DeleteSnapshot removes them.',
  ],
  async handler({ input, services, change }) {
    return { Snapshot: toDetails(await services.snapshots.create(input.GameName, input.Description, change)) };
  },
});

export const getSnapshot = operation({
  name: 'GetSnapshot',
  http: { method: 'GET', path: '/game/{GameName}/snapshot/{SnapshotId}' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), Sections: query(sectionNames), SnapshotId: label(snapshotId) }, [
    'GameName',
    'SnapshotId',
  ]),
  output: structure({ Snapshot: snapshotDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: ['`Sections` and `Size` are as in GetGameConfiguration.'],
  async handler({ input, services }) {
    const snapshot = await services.snapshots.get(input.GameName, input.SnapshotId, input.Sections);
    return { Snapshot: toDetails(snapshot) };
  },
});

export const listSnapshots = operation({
  name: 'ListSnapshots',
  http: { method: 'GET', path: '/game/{GameName}/snapshot' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), MaxResults: query(maxResults), NextToken: query(nextToken) }, [
    'GameName',
  ]),
  output: structure({ NextToken: nextToken, Snapshots: list(snapshotSummary) }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Snapshots are listed newest first. Snapshots made while a client follows the pages do not appear on later pages.',
  ],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.snapshots.list(input.GameName, request);
    return { Snapshots: page.items.map(toSummary), NextToken: page.nextToken };
  },
});

export const updateSnapshot = operation({
  name: 'UpdateSnapshot',
  http: { method: 'PATCH', path: '/game/{GameName}/snapshot/{SnapshotId}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ Description: description, GameName: label(gameName), SnapshotId: label(snapshotId) }, [
    'GameName',
    'SnapshotId',
  ]),
  output: structure({ Snapshot: snapshotDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: ['A call without a description changes nothing, not even `LastUpdated`. The sections never change.'],
  async handler({ input, services, change }) {
    const { GameName, SnapshotId, Description: description } = input;
    return { Snapshot: toDetails(await services.snapshots.update(GameName, SnapshotId, { description }, change)) };
  },
});

export const exportSnapshot = operation({
  name: 'ExportSnapshot',
  http: { method: 'GET', path: '/game/{GameName}/snapshot/{SnapshotId}/export' },
  isIdempotent: false,
  // The call changes nothing, but the URL that it returns works without a signature, so it is throttled and recorded like a
  // change.
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), SnapshotId: label(snapshotId) }, ['GameName', 'SnapshotId']),
  output: structure({ S3Url: downloadUrl }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: [
    '`S3Url` is a URL of this server, below `RESPARK_PUBLIC_URL` or, without that, of the host that was called. This is the only departure from the model, whose pattern accepts only URLs of Amazon S3.',
    'The URL gives the file for ten minutes without a signature; after that the answer is a 404 that says so. What the URL stands for is encrypted with the secret key, so URLs cannot be forged.',
    'A URL, including one of generated code, stops working when the access key that asked for it is revoked or replaced: 403.',
    'A file, including one of generated code, can be downloaded twice a second, with bursts of up to 20, and an address (IPv6: /64) can download five files a second, with bursts of up to 50; more is a 429 with `Retry-After`.',
    'Although it is a GET, the call counts as a write, as it does in IAM: it uses up the rate limit of writes and is recorded in the audit log.',
  ],
  async handler({ input, services, change, absoluteUrl }) {
    return { S3Url: absoluteUrl(await services.snapshots.exportUrl(input.GameName, input.SnapshotId, change)) };
  },
});

function toSummary(snapshot: Omit<Snapshot, 'sections'>) {
  return {
    Created: snapshot.createdAt,
    Description: snapshot.description,
    Id: snapshot.id,
    LastUpdated: snapshot.updatedAt,
  };
}

function toDetails(snapshot: Snapshot) {
  return { ...toSummary(snapshot), Sections: new PreparedJson(snapshot.sections) };
}
