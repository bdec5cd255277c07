import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { decodeText } from '../text.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * How long before its end a certificate is warned of, or a sixth of its life if that is shorter. Let's Encrypt's of 90 days are
 * usually renewed 30 days before, those of 6 days 2 days before.
 */
const WARNING_MS = 14 * 86_400_000;
const WARNING_PART = 1 / 6;

/** A chain of certificates has a few kilobytes. */
const MAX_BYTES = 1_048_576;

/**
 * Throws for an empty file too, as a file may be while it is being replaced: Node.js would take it, and no client could connect.
 */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): { readonly cert: string; readonly key: string } {
  const read = (file: string) => {
    const text = decodeText(readFileSync(file));
    if (text.trim() === '') throw new Error(`${file} is empty`);
    return text;
  };
  return { cert: read(certFile), key: read(keyFile) };
}

/** For a server that runs: everything would wait for the writer of a pipe, or for the end of a device that has none. */
export function readChangedTlsFiles(files: TlsFiles): ReturnType<typeof readTlsFiles> {
  for (const file of [files.certFile, files.keyFile]) {
    const found = statSync(file);
    if (!found.isFile()) throw new Error(`${file} is no plain file`);
    if (found.size > MAX_BYTES) throw new Error(`${file} is longer than ${MAX_BYTES} bytes`);
  }
  return readTlsFiles(files);
}

/** The warning for a certificate that clients refuse because of its dates, or soon will; undefined for a good one. */
export function findTimeFault(cert: string, now: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (now < from) return 'the TLS certificate is not valid yet, so that clients refuse it';
  if (now >= to) return 'the TLS certificate has expired, so that clients refuse it: renew it';
  return now >= to - Math.min(WARNING_MS, (to - from) * WARNING_PART)
    ? 'the TLS certificate expires soon: renew it'
    : undefined;
}
