import type { Snapshot } from '../../domain/snapshots.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, list, query, structure } from '../shape.ts';
import { gameResource, gameTags, snapshotAudited } from './resources.ts';
import {
  dateTime,
  description,
  downloadUrl,
  gameName,
  maxResults,
  nextToken,
  sectionDetails,
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
    'The id is the time of the snapshot with six digits after the second. No two of a game are the same and a later one is always greater, however many calls there are at once.',
    'An empty configuration, or one with faults, can be copied too: only a deployment looks at what it means.',
    'The answer has the sections with their attributes.',
    'A game keeps `RESPARK_MAX_SNAPSHOTS`; one more is a `ConflictException`, because this operation models no quota. Only the deletion of the game removes them.',
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
  decisions: ['`Sections` and `Size` are those of GetGameConfiguration.'],
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
  decisions: ['Newest first. Snapshots made while the pages are followed are not on the pages that follow.'],
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
  decisions: ['A call without a description changes nothing, `LastUpdated` included. The sections never change.'],
  async handler({ input, services, change }) {
    const { GameName, SnapshotId, Description: description } = input;
    return { Snapshot: toDetails(await services.snapshots.update(GameName, SnapshotId, { description }, change)) };
  },
});

export const exportSnapshot = operation({
  name: 'ExportSnapshot',
  http: { method: 'GET', path: '/game/{GameName}/snapshot/{SnapshotId}/export' },
  isIdempotent: false,
  // It changes nothing, but what it hands out works without a signature: counted and put on record like a change.
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), SnapshotId: label(snapshotId) }, ['GameName', 'SnapshotId']),
  output: structure({ S3Url: downloadUrl }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: [
    '`S3Url` is a URL of this server, below `RESPARK_PUBLIC_URL`: the one thing in which it differs from the model, whose pattern takes Amazon S3 only.',
    'Whoever knows the URL may have the file for ten minutes, without a signature; then it is a 404 that says so. It is sealed by the master key, so that nobody makes one up.',
    'A file, of generated code too, is given 20 times at once and then twice a second; more is a 429 with `Retry-After`.',
    'Although a GET it counts as a write, as in IAM: it uses the rate of writes, and the audit log has it.',
  ],
  async handler({ input, services, change }) {
    return { S3Url: await services.snapshots.exportUrl(input.GameName, input.SnapshotId, change) };
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
  return { ...toSummary(snapshot), Sections: sectionDetails(snapshot.sections) };
}
