import type { Tags } from '../../domain/tags.ts';
import { document, integer, list, map, prepared, string, structure, timestamp } from '../shape.ts';

// Shapes that several operations share. Their constraints are those of Amazon's model, with which a test compares them.

export const NAME_PATTERN = '^[a-zA-Z0-9_-]+$';
export const TRIMMED_PATTERN = '^\\S(.*\\S)?$';

export const gameName = string({ min: 1, max: 36, pattern: NAME_PATTERN });
export const stageName = string({ min: 1, max: 36, pattern: NAME_PATTERN });
export const playerId = string({ min: 1, max: 44, pattern: NAME_PATTERN });
export const description = string({ min: 0, max: 250, pattern: `${TRIMMED_PATTERN}|^$` });
export const clientToken = string({ min: 33, max: 126 });
export const arn = string({ min: 20, max: 2048, pattern: '^[A-Za-z0-9:_/-]+$' });
export const roleArn = string({ min: 20, max: 2048, pattern: '^arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/.+$' });
export const gameKey = string({ min: 1, max: 44 });
export const logGroupName = string({ min: 1, max: 512 });
export const lifeState = string({ enum: ['ACTIVE', 'DELETING'] });
export const connectionId = string({ min: 1, max: 36 });
export const dateTime = timestamp();

// In both patterns, which are Amazon's, `+-=` is a range of characters that includes the digits.
export const tagKey = string({ min: 1, max: 128, pattern: '^(?!aws:)[a-zA-Z+-=._:/]+$' });
export const tagMap = map(tagKey, string({ min: 0, max: 256, pattern: '^[\\s\\w+-=\\.:/@]*$' }), { min: 1, max: 50 });

export const maxResults = integer({ min: 1, max: 100 });
export const nextToken = string({ min: 1, max: 1024, pattern: TRIMMED_PATTERN });

export const connectionIds = list(connectionId);
export const connections = list(structure({ Created: dateTime, Id: connectionId }));

export const sectionName = string({ min: 1, max: 36, pattern: '^[a-zA-Z0-9.]+$' });
export const sectionNames = list(sectionName, { min: 1, max: 100 });
export const sections = prepared(
  map(sectionName, structure({ Attributes: document(), Name: sectionName, Size: integer({ min: 0 }) })),
);

export const snapshotId = string({
  min: 33,
  max: 36,
  pattern: '^Snapshot_\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3,6}Z$',
});

/** The one departure from the model, whose pattern accepts only Amazon S3: these URLs are this server's own. */
export const downloadUrl = string({ min: 10, max: 2048, pattern: '^https?:\\/\\/(.*)$' });

/** The tags of a reply. The model wants at least one entry in a TagMap, so without tags the member is left out. */
export function presentTags(tags: Tags): Tags | undefined {
  return Object.keys(tags).length === 0 ? undefined : tags;
}
