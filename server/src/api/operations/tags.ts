import type { Tags } from '../../domain/tags.ts';
import { operation, type Services } from '../operation.ts';
import { label, list, query, string, structure } from '../shape.ts';
import { presentTags, tagKey, tagMap } from './shapes.ts';

/** The model of these operations leaves out the two errors that every other one has; they can occur all the same. */
const ERRORS = ['validation', 'not_found', 'internal'] as const;

const resourceArn = label(string({ min: 20, max: 2048, pattern: '^arn:aws:gamesparks:' }));

interface TaggedInput {
  readonly ResourceArn: string;
}

const resource = ({ ResourceArn }: TaggedInput) => [ResourceArn];

function resourceTagsOf({ ResourceArn }: TaggedInput, { resourceTags }: Services): Promise<Tags | undefined> {
  return resourceTags.find(ResourceArn);
}

export const tagResource = operation({
  name: 'TagResource',
  http: { method: 'POST', path: '/tags/{ResourceArn}' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ ResourceArn: resourceArn, tags: tagMap }, ['ResourceArn', 'tags']),
  output: structure({}),
  errors: ERRORS,
  resource,
  resourceTags: resourceTagsOf,
  requestTags: ({ tags }) => tags,
  decisions: [
    'Keys that are there get the new value. A resource has at most 50 tags; more is a `ValidationException`, and nothing is changed.',
    '`LastUpdated` of the game or stage moves. What is being deleted is not found.',
    'The ARN of anything but a game or a stage of this server, its region and account included, is a `ValidationException`.',
    'A call that no policy allows is answered 403 and one too many 429, as in all operations, although the model of the tag operations leaves both out.',
  ],
  async handler({ input, services, change }) {
    await services.resourceTags.add(input.ResourceArn, input.tags, change);
    return {};
  },
});

export const untagResource = operation({
  name: 'UntagResource',
  http: { method: 'DELETE', path: '/tags/{ResourceArn}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ ResourceArn: resourceArn, tagKeys: query(list(tagKey, { min: 1, max: 50 })) }, [
    'ResourceArn',
    'tagKeys',
  ]),
  output: structure({}),
  errors: ERRORS,
  resource,
  resourceTags: resourceTagsOf,
  tagKeys: ({ tagKeys }) => tagKeys,
  decisions: [
    'Keys that are not there are no error. `LastUpdated`, ARNs and errors are as in TagResource.',
    'Policies see the keys as `aws:TagKeys`.',
  ],
  async handler({ input, services, change }) {
    await services.resourceTags.remove(input.ResourceArn, input.tagKeys, change);
    return {};
  },
});

export const listTagsForResource = operation({
  name: 'ListTagsForResource',
  http: { method: 'GET', path: '/tags/{ResourceArn}' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ ResourceArn: resourceArn }, ['ResourceArn']),
  output: structure({ tags: tagMap }),
  errors: ERRORS,
  resource,
  resourceTags: resourceTagsOf,
  decisions: [
    'What has no tags has no `tags` in the answer, since the model wants at least one in a map of tags.',
    'ARNs and errors are as in TagResource.',
  ],
  async handler({ input, services }) {
    return { tags: presentTags(await services.resourceTags.get(input.ResourceArn)) };
  },
});
