import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { assertNever, ServiceError } from '../errors.ts';
import type { Sealer } from '../keyring.ts';
import type { Store } from '../store/store.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import type { Access } from './access/access.ts';
import { writeDocument } from './configuration/document.ts';
import { readSections } from './configurations.ts';

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
   * the file is asked for too often.
   */
  open(rawPath: string): Promise<DownloadedFile | undefined>;
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

/** A file takes milliseconds to make for callers that sign nothing, so its rate is limited, however many know a URL. */
const DOWNLOADS_PER_SECOND = 2;
const DOWNLOADS_BURST = 20;
const MAX_REMEMBERED_FILES = 10_000;

const PATH = /^\/download\/(?<token>[A-Za-z0-9_-]+)\/(?<fileName>[A-Za-z0-9_.-]+)$/;

export function createDownloads({
  store,
  findCredential,
  sealer,
  clock,
  publicUrl,
}: {
  store: Pick<Store, 'snapshots' | 'generatedCodeJobs'>;
  findCredential: Access['findCredential'];
  sealer: Sealer;
  clock: Clock;
  /** The URL at which clients reach this server, without a slash at its end; called whenever a download URL is made. */
  publicUrl: () => string;
}): Downloads {
  const buckets = createTokenBuckets({
    ratePerSecond: DOWNLOADS_PER_SECOND,
    burst: DOWNLOADS_BURST,
    maxKeys: MAX_REMEMBERED_FILES,
    clock,
  });

  function throttle(download: Download): void {
    const waitMs = buckets.take(JSON.stringify(download));
    if (waitMs === 0) return;
    const message = `this file is downloaded more than ${DOWNLOADS_PER_SECOND} times a second: try again in ${waitMs} ms`;
    throw new ServiceError('throttled', message, { retryAfterMs: waitMs });
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
      return { url: `${publicUrl()}/download/${Buffer.from(sealed).toString('base64url')}/${fileName}`, expiresAt };
    },

    async open(rawPath) {
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
      throttle(download);
      switch (download.kind) {
        case 'snapshot': {
          const snapshot = await store.snapshots.find(download.gameId, download.snapshotId);
          if (snapshot === undefined) return undefined;
          return { fileName, contentType: 'application/json', body: writeDocument(readSections(snapshot.sections)) };
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
