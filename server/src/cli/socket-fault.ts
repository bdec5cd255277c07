import { printable } from '../text.ts';

/** What a socket says of its failure. A certificate, for one, may say anything. */
export function describeSocketFault(text: string): string {
  // So OpenSSL names what is mostly a server that is to be called without TLS.
  if (/SSL routines:.*:wrong version number/.test(text))
    return 'what answers there speaks no TLS: call it by http or ws';
  return printable(text);
}
