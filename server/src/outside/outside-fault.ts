/** What went wrong outside of the server, as the script is told: a code of `outside.ts`, and what to do. */
export class OutsideFault extends Error {
  override readonly name = 'OutsideFault';
  readonly code: string;

  constructor(code: string, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Failures of networks, which may be over at the next attempt. */
const NETWORK_CODES = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'],
  // Name servers' own.
  ...['ENODATA', 'ETIMEOUT', 'ESERVFAIL', 'EREFUSED', 'EBADNAME', 'EBADRESP', 'EFORMERR', 'ENOTIMP'],
  ...['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE'],
  // Firewalls cause these, and systems without IPv6.
  ...['EACCES', 'EPERM', 'EAFNOSUPPORT'],
]);

/** Node.js's own codes, and what OpenSSL may find wrong with a certificate. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CRL_|ERROR_IN_|INVALID_|PATH_LENGTH_|EPROTO$|HOSTNAME_MISMATCH$|OUT_OF_MEM$|UNSPECIFIED$)/;

/**
 * What a failure of a connection to `whom` means to the script: only the failure's code, because its text may name
 * addresses of the server's network. Undefined for what is no such failure.
 */
export function connectionFault(error: unknown, whom: string): OutsideFault | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (typeof code !== 'string') return undefined;
  if (NETWORK_CODES.has(code)) {
    return new OutsideFault('unavailable', `${whom} could not be reached (${code})`, { cause: error });
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new OutsideFault('too_large', `${whom} answered with too many headers`, { cause: error });
  }
  if (code.startsWith('HPE_')) {
    return new OutsideFault('failed', `${whom} answered with what is not HTTP (${code})`, { cause: error });
  }
  return TLS_CODE.test(code)
    ? new OutsideFault('failed', `${whom} could not be trusted over TLS (${code})`, { cause: error })
    : undefined;
}
