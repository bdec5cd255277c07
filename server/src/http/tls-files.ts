import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeText } from '../text.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** How long before its end a certificate is warned of. Let's Encrypt's are usually renewed 30 days before theirs. */
const WARNING_MS = 14 * 86_400_000;

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

/** The warning for a certificate that clients refuse because of its dates, or soon will; undefined for a good one. */
export function findTimeFault(cert: string, now: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (now < Date.parse(validFrom)) return 'the TLS certificate is not valid yet, so that clients refuse it';
  if (now >= Date.parse(validTo)) return 'the TLS certificate has expired, so that clients refuse it: renew it';
  return now >= Date.parse(validTo) - WARNING_MS ? 'the TLS certificate expires soon: renew it' : undefined;
}
