import { fileURLToPath } from 'node:url';

/** Certificates for the tests alone, self-signed for 127.0.0.1; their keys, on a curve or RSA, protect nothing. */
export function tlsFiles(name: 'first' | 'second' | 'rsa' | 'expired'): { certFile: string; keyFile: string } {
  // Seen from dist/test/support.
  const file = (kind: string) =>
    fileURLToPath(new URL(`../../../test/support/tls/${name}.${kind}.pem`, import.meta.url));
  return { certFile: file('cert'), keyFile: file('key') };
}
