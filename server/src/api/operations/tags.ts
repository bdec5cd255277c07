import type { Arns } from '../../domain/arn.ts';
import type { Tags } from '../../domain/tags.ts';
import { operation, type Services } from '../operation.ts';
import { label, list, query, string, structure } from '../shape.ts';
import { presentTags, tagKey, tagMap } from './shapes.ts';

/** The model of these operations lacks two errors that all other operations have; this server answers with them anyway. */
const ERRORS = ['validation', 'not_found', 'internal'] as const;

const resourceArn = label(string({ min: 20, max: 2048, pattern: '^arn:aws:gamesparks:' }));

interface TaggedInput {
  readonly ResourceArn: string;
}

const resource = ({ ResourceArn }: TaggedInput) => [ResourceArn];

/** Callers may send any text, which in a record could look like the ARN of something that they have not touched. */
const auditResource = ({ ResourceArn }: TaggedInput, arns: Arns) =>
  arns.parse(ResourceArn) === undefined ? '' : ResourceArn;

function resourceTagsOf({ ResourceArn }: TaggedInput, { resourceTags }: Services): Promise<Tags | undefined> {
  return resourceTags.find(ResourceArn);
}

export const tagResource = operation({
  name: 'TagResource',
  http: { method: 'POST', path: '/tags/{ResourceArn}' },
  isLastLabelGreedy: true,
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ ResourceArn: resourceArn, tags: tagMap }, ['ResourceArn', 'tags']),
  output: structure({}),
  errors: ERRORS,
  resource,
  auditResource,
  resourceTags: resourceTagsOf,
  requestTags: ({ tags }) => tags,
  decisions: [
    'A key that exists gets the new value. A resource has at most 50 tags; a call that would exceed that is a `ValidationException` and changes nothing.',
    'The call updates `LastUpdated` of the game or stage. A game or stage that is being deleted is a `ResourceNotFoundException`.',
    'The ARN must be that of a game or stage of this server, with its region and account; any other is a `ValidationException`.',
    'A call that no policy allows is answered with 403, and a throttled one with 429, as in all operations, although the model of the tag operations has neither.',
  ],
  async handler({ input, services, change }) {
    await services.resourceTags.add(input.ResourceArn, input.tags, change);
    return {};
  },
});

export const untagResource = operation({
  name: 'UntagResource',
  http: { method: 'DELETE', path: '/tags/{ResourceArn}' },
  isLastLabelGreedy: true,
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ ResourceArn: resourceArn, tagKeys: query(list(tagKey, { min: 1, max: 50 })) }, [
    'ResourceArn',
    'tagKeys',
  ]),
  output: structure({}),
  errors: ERRORS,
  resource,
  auditResource,
  resourceTags: resourceTagsOf,
  tagKeys: ({ tagKeys }) => tagKeys,
  decisions: [
    'Removing a key that does not exist is not an error. `LastUpdated`, ARNs and errors are as in TagResource.',
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
  isLastLabelGreedy: true,
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ ResourceArn: resourceArn }, ['ResourceArn']),
  output: structure({ tags: tagMap }),
  errors: ERRORS,
  resource,
  auditResource,
  resourceTags: resourceTagsOf,
  decisions: [
    'If the resource has no tags, the reply has no `tags`, because the model does not allow an empty map of tags.',
    'ARNs and errors are as in TagResource.',
  ],
  async handler({ input, services }) {
    return { tags: presentTags(await services.resourceTags.get(input.ResourceArn)) };
  },
});
