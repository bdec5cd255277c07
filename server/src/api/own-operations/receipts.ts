import { COMMON_ERRORS } from '../operation.ts';
import { label, string, structure } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const text = string({ min: 1, max: 2_048 });
/** Its members have the names that RFC 7517 and RFC 8037 give them. */
const jwk = structure({ alg: text, crv: text, kid: text, kty: text, use: text, x: text });

export const getReceipt = ownOperation({
  name: 'GetReceipt',
  http: { method: 'GET', path: '/respark/receipt/{RequestId}' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ RequestId: label(string({ min: 1, max: 64, pattern: '^[A-Za-z0-9-]+$' })) }, ['RequestId']),
  output: structure({ Receipt: string({ min: 1, max: 4_194_304 }) }, ['Receipt']),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  decisions: [
    'Gives a receipt for a call that is on record in the audit log: a compact JWS (`EdDSA`), signed with the key of GetReceiptKey, over who did what to whom, why, when, with what outcome for each connection, and where the record is in the chain of the audit log. `respark receipt verify` checks it without a server; docs/receipts.md has its members.',
    '`RequestId` is the one that the reply to the call has in `x-amzn-requestid`. What is in `Details` as evidence for the staff is not in the receipt, and neither is the address of the caller.',
    'A record of a call that another node took is found a second after its answer. A record from before records were chained has no receipt, and neither has one that is not what was written into the chain, because somebody has changed the log beside the server: all are a `ResourceNotFoundException` that says which. While the database of the audit log cannot take records in, it is an `InternalServerException` that may be tried again.',
    'The receipt of a call whose outcome was not known yet says so, and another one may be had later; otherwise a call has one receipt for good.',
  ],
  async handler({ input, services }) {
    return { Receipt: await services.receipts.get(input.RequestId) };
  },
});

export const getReceiptKey = ownOperation({
  name: 'GetReceiptKey',
  http: { method: 'GET', path: '/respark/receipt-key' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({}),
  output: structure({ InstallationId: text, Jwk: jwk, KeyId: text, Pem: text }, [
    'InstallationId',
    'Jwk',
    'KeyId',
    'Pem',
  ]),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Gives the public key that receipts are verified with, as a JWK (RFC 8037) and as PEM. It is made at the first start, is the same on every node of a cluster, and stays when the secret key is replaced. `KeyId` is its thumbprint (RFC 7638), and `InstallationId` names the installation in its receipts.',
  ],
  async handler({ services }) {
    const { id, keyId, publicJwk, publicPem } = services.receipts.key();
    const jwk = { ...publicJwk, use: 'sig', alg: 'EdDSA', kid: keyId };
    return { InstallationId: id, Jwk: jwk, KeyId: keyId, Pem: publicPem };
  },
});
