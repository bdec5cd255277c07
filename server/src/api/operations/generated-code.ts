import type { GeneratedCodeJob } from '../../domain/generated-code-jobs.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, list, query, string, structure } from '../shape.ts';
import { gameResource, gameTags, snapshotAudited } from './resources.ts';
import { dateTime, description, downloadUrl, gameName, maxResults, nextToken, snapshotId } from './shapes.ts';

const jobId = string({ pattern: '^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$' });

const jobDetails = structure({
  Description: description,
  ExpirationTime: dateTime,
  GeneratedCodeJobId: jobId,
  S3Url: downloadUrl,
  Status: string({ enum: ['IN_PROGRESS', 'COMPLETED', 'FAILED', 'PENDING'] }),
});

const generator = structure({
  GameSdkVersion: string({
    min: 5,
    max: 10,
    pattern: '^((\\d|[1-9]\\d*)\\.(\\d|[0-9]\\d*)\\.(\\d|[0-9]\\d*)|LATEST)$',
  }),
  Language: string({ min: 1, max: 16, pattern: '^[a-zA-Z_]+$' }),
  TargetPlatform: string({ min: 1, max: 16, pattern: '^[a-zA-Z]+$' }),
});

export const startGeneratedCodeJob = operation({
  name: 'StartGeneratedCodeJob',
  http: { method: 'POST', path: '/game/{GameName}/snapshot/{SnapshotId}/generated-sdk-code-job' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), Generator: generator, SnapshotId: label(snapshotId) }, [
    'GameName',
    'Generator',
    'SnapshotId',
  ]),
  output: structure({ GeneratedCodeJobId: jobId }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: [
    '`TargetPlatform` and `Language` are `Unity` with `CSharp`, or `Web` with `TypeScript`, in upper or lower case. The default platform is `Unity`, the default language that of the platform. Anything else is a `ValidationException` that lists the choices.',
    '`GameSdkVersion` is `LATEST`, which is the default, or `1.0.0`.',
    'If the snapshot has faults, the job is `FAILED`, and its description names the first fault. If the code would take the game beyond `RESPARK_MAX_GAME_BYTES`, or the server beyond `RESPARK_MAX_STORED_BYTES`, the job is `FAILED` too.',
    'A snapshot keeps `RESPARK_MAX_GENERATED_CODE_JOBS` jobs: the oldest that have ended are forgotten together with their zips. If that many are still under way, starting another is a `ThrottlingException`.',
    'If the server restarts during a job, it runs the job again.',
  ],
  async handler({ input, services, change }) {
    const { TargetPlatform: targetPlatform, Language: language, GameSdkVersion: gameSdkVersion } = input.Generator;
    const generator = { targetPlatform, language, gameSdkVersion };
    const id = await services.generatedCodeJobs.start(input.GameName, input.SnapshotId, generator, change);
    return { GeneratedCodeJobId: id };
  },
});

export const getGeneratedCodeJob = operation({
  name: 'GetGeneratedCodeJob',
  http: { method: 'GET', path: '/game/{GameName}/snapshot/{SnapshotId}/generated-sdk-code-job/{JobId}' },
  isIdempotent: false,
  // As for ExportSnapshot: the URLs that it returns work without a signature.
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), JobId: label(jobId), SnapshotId: label(snapshotId) }, [
    'GameName',
    'JobId',
    'SnapshotId',
  ]),
  output: structure({ GeneratedCodeJob: jobDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: [
    'A completed job has an `S3Url`, which as in ExportSnapshot is a URL of this server: its zip can be downloaded there for an hour without a signature. Each call returns a new URL, and `ExpirationTime` says how long that URL works.',
    'Although it is a GET, the call uses up the rate limit of writes, and it is recorded in the audit log whenever it returns a URL. In policies it is what its name says, so that `gamesparks:Get*` includes it; deny it to keys that must not hand out code.',
    '`Description` is empty unless the job has failed.',
  ],
  async handler({ input, services, change, absoluteUrl }) {
    const job = await services.generatedCodeJobs.get(input.GameName, input.SnapshotId, input.JobId, change);
    return { GeneratedCodeJob: toDetails(job, absoluteUrl) };
  },
});

export const listGeneratedCodeJobs = operation({
  name: 'ListGeneratedCodeJobs',
  http: { method: 'GET', path: '/game/{GameName}/snapshot/{SnapshotId}/generated-sdk-code-jobs' },
  isIdempotent: false,
  // As for ExportSnapshot: the URLs that it returns work without a signature.
  throttleClass: 'write',
  input: structure(
    {
      GameName: label(gameName),
      MaxResults: query(maxResults),
      NextToken: query(nextToken),
      SnapshotId: label(snapshotId),
    },
    ['GameName', 'SnapshotId'],
  ),
  output: structure({ GeneratedCodeJobs: list(jobDetails), NextToken: nextToken }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: [
    'Jobs are listed newest first.',
    'Each completed job comes with a new URL, so rate limit and audit log are as in GetGeneratedCodeJob, with one record for each page.',
  ],
  async handler({ input, services, change, absoluteUrl }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.generatedCodeJobs.list(input.GameName, input.SnapshotId, request, change);
    return { GeneratedCodeJobs: page.items.map((job) => toDetails(job, absoluteUrl)), NextToken: page.nextToken };
  },
});

function toDetails({ id, state, description, download }: GeneratedCodeJob, absoluteUrl: (relative: string) => string) {
  return {
    Description: description,
    ExpirationTime: download?.expiresAt,
    GeneratedCodeJobId: id,
    S3Url: download && absoluteUrl(download.url),
    Status: state,
  };
}
