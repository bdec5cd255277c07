import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';

/** The hash in the form that AWS’s own signer needs. */
export class NodeSha256 {
  #hash: Hash | Hmac;
  readonly #secret: string | NodeJS.ArrayBufferView | undefined;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret instanceof ArrayBuffer ? new Uint8Array(secret) : (secret as string | Uint8Array | undefined);
    this.#hash = this.#start();
  }
  #start(): Hash | Hmac {
    return this.#secret === undefined ? createHash('sha256') : createHmac('sha256', this.#secret);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    this.#hash = this.#start();
  }
}
