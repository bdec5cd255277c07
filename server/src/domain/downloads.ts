import { hash } from 'node:crypto';
import { createAddressBuckets } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import { assertNever, ServiceError } from '../errors.ts';
import type { Sealer } from '../keyring.ts';
import type { Store } from '../store/store.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import type { Access } from './access/access.ts';
import type { SectionJobs } from './configuration/stored-sections.ts';
import type { LongWork } from './long-work.ts';

/** A file that every client that knows its URL may download, until the URL expires. */
export type Download =
  | { readonly kind: 'snapshot'; readonly gameId: string; readonly snapshotId: string }
  | { readonly kind: 'generated_code'; readonly jobId: string };

export interface DownloadedFile {
  readonly fileName: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/**
 * Signed URLs: the sealed path says what it is for and until when, so no client can make one up or read ids from it.
 * They are relative, such as `/download/…`, because it depends on the caller where this server is reached.
 */
export interface Downloads {
  /**
   * A URL that works for `lifetimeMs`, but no longer than the access key of the caller who asks for it. Throws
   * `access_denied` when that key has been revoked in the meantime.
   */
  urlOf(download: Download, fileName: string, lifetimeMs: number, accessKeyId: string): Promise<DownloadUrl>;
  /**
   * The file behind the path of a URL; undefined when the URL is not one of ours, has expired, or its file is gone.
   * Throws `access_denied` when the access key that asked for the URL has been revoked or replaced, and `throttled` when
   * the file is asked for too often, or too many files by the client, which is its address.
   */
  open(rawPath: string, client: string): Promise<DownloadedFile | undefined>;
}

export interface DownloadUrl {
  readonly url: string;
  readonly expiresAt: number;
}

interface Payload {
  readonly download: Download;
  readonly expiresAt: number;
  readonly accessKeyId: string;
  /** Another one when the key of the same id has another secret, as a root key from the settings may. */
  readonly keyDigest: string;
}

/**
 * A file takes milliseconds to make for callers that sign nothing, so its rate is limited, however many know a URL, and
 * so is that of a client, however many files it knows.
 */
const DOWNLOADS_PER_SECOND = 2;
const DOWNLOADS_BURST = 20;
const CLIENT_DOWNLOADS_PER_SECOND = 5;
const CLIENT_DOWNLOADS_BURST = 50;
const MAX_REMEMBERED = 10_000;

const PATH = /^\/download\/(?<token>[A-Za-z0-9_-]+)\/(?<fileName>[A-Za-z0-9_.-]+)$/;

export function createDownloads({
  store,
  findCredential,
  sealer,
  longWork,
  clock,
}: {
  store: Pick<Store, 'snapshots' | 'generatedCodeJobs'>;
  findCredential: Access['findCredential'];
  sealer: Sealer;
  longWork: LongWork<SectionJobs>;
  clock: Clock;
}): Downloads {
  const [ratePerSecond, burst] = [DOWNLOADS_PER_SECOND, DOWNLOADS_BURST];
  const files = createTokenBuckets({ ratePerSecond, burst, maxKeys: MAX_REMEMBERED, clock });
  const clients = createAddressBuckets({
    ratePerSecond: CLIENT_DOWNLOADS_PER_SECOND,
    burst: CLIENT_DOWNLOADS_BURST,
    maxKeys: MAX_REMEMBERED,
    clock,
  });

  function throttle(download: Download, client: string): void {
    const refuse = (waitMs: number, fault: string): void => {
      if (waitMs === 0) return;
      throw new ServiceError('throttled', `${fault}: try again in ${waitMs} ms`, { retryAfterMs: waitMs });
    };
    refuse(
      files.take(JSON.stringify(download)),
      `this file is downloaded more than ${DOWNLOADS_PER_SECOND} times a second`,
    );
    refuse(clients.take(client), `this address downloads more than ${CLIENT_DOWNLOADS_PER_SECOND} files a second`);
  }

  async function digestOf(accessKeyId: string): Promise<string | undefined> {
    const credential = await findCredential(accessKeyId);
    return credential && hash('sha256', credential.secretAccessKey, 'base64');
  }

  return {
    async urlOf(download, fileName, lifetimeMs, accessKeyId) {
      const keyDigest = await digestOf(accessKeyId);
      if (keyDigest === undefined) throw new ServiceError('access_denied', 'this access key has been revoked');
      const expiresAt = clock.now() + lifetimeMs;
      const payload: Payload = { download, expiresAt, accessKeyId, keyDigest };
      const sealed = sealer.seal(Buffer.from(JSON.stringify(payload)), associated(fileName));
      return { url: `/download/${Buffer.from(sealed).toString('base64url')}/${fileName}`, expiresAt };
    },

    async open(rawPath, client) {
      const { token = '', fileName = '' } = PATH.exec(rawPath)?.groups ?? {};
      const opened = sealer.open(Buffer.from(token, 'base64url'), associated(fileName));
      if (opened === undefined) return undefined;
      const { download, expiresAt, accessKeyId, keyDigest } = JSON.parse(Buffer.from(opened).toString()) as Payload;
      if (clock.now() >= expiresAt) return undefined;
      const digest = await digestOf(accessKeyId);
      if (digest === undefined || digest !== keyDigest) {
        const message =
          'the access key that asked for this URL has been revoked or replaced: ask for another URL with a key that is active';
        throw new ServiceError('access_denied', message);
      }
      throttle(download, client);
      switch (download.kind) {
        case 'snapshot': {
          const { gameId, snapshotId } = download;
          const length = await store.snapshots.bytes(gameId, snapshotId);
          if (length === undefined) return undefined;
          return await longWork.run({ owner: `downloads of game ${gameId}`, length }, async (jobs) => {
            const snapshot = await store.snapshots.find(gameId, snapshotId);
            if (snapshot === undefined) return undefined;
            return { fileName, contentType: 'application/json', body: await jobs.export(snapshot.sections) };
          });
        }
        case 'generated_code': {
          const body = await store.generatedCodeJobs.archive(download.jobId);
          return body && { fileName, contentType: 'application/zip', body };
        }
        default:
          return assertNever(download);
      }
    },
  };
}

/** The file name is part of the seal, so no client can make this server offer a file under a name of its choice. */
function associated(fileName: string): string {
  return `download for a key ${fileName}`;
}
