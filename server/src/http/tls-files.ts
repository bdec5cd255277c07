import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeText } from '../text.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** For so long before its end a certificate is warned of. Those of Let's Encrypt are renewed 30 days before theirs. */
const WARNING_MS = 14 * 86_400_000;

/** Throws for an empty file too, which Node.js takes: nobody could connect then. A file is empty while it is copied anew. */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): { readonly cert: string; readonly key: string } {
  const read = (file: string) => {
    const text = decodeText(readFileSync(file));
    if (text.trim() === '') throw new Error(`${file} is empty`);
    return text;
  };
  return { cert: read(certFile), key: read(keyFile) };
}

/** What to warn of: that clients refuse the certificate by its times, or soon will; undefined for one that is good. */
export function findTimeFault(cert: string, now: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (now < Date.parse(validFrom)) return 'the TLS certificate is not valid yet, so that clients refuse it';
  if (now >= Date.parse(validTo)) return 'the TLS certificate has expired, so that clients refuse it: renew it';
  return now >= Date.parse(validTo) - WARNING_MS ? 'the TLS certificate expires soon: renew it' : undefined;
}
