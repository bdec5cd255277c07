/** A file that whoever knows its URL may have until the URL expires. */
export type Download =
  | { readonly kind: 'snapshot'; readonly gameId: string; readonly snapshotId: string }
  | { readonly kind: 'generated_code'; readonly jobId: string };

export interface DownloadedFile {
  readonly fileName: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Signed URLs: the path carries what it is for and until when, sealed, so that nobody makes one up or reads ids from it. */
export interface Downloads {
  urlOf(download: Download, fileName: string, lifetimeMs: number): { readonly url: string; readonly expiresAt: number };
  /** The file behind the path of a URL; undefined when it is not one of ours, has expired, or its file is gone. */
  open(rawPath: string): Promise<DownloadedFile | undefined>;
}
