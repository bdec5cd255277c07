import { MAX_TOKEN_LENGTH, type Payload } from '@respark/protocol';
import type { Clock } from './clock.ts';
import { afterDeadline } from './deadline.ts';
import { ResparkError } from './errors.ts';

/** Where a player's token survives a restart. Protect it like a password: any client with it can be the player. */
export interface TokenStorage {
  load(): Promise<string | undefined> | string | undefined;
  /** `undefined` deletes what was saved. The SDK never calls it again before the last call has settled. */
  save(token: string | undefined): Promise<void> | void;
}

const RENEWAL_RETRY_MS = 60_000;
/** However short-lived the tokens are, the client asks for them no more often than this. */
const MIN_RENEWAL_MS = 1_000;

/**
 * The token with which the client comes back as the same player. It is loaded once, renewed while connected, and saved
 * at each change. No method rejects or throws; failures are reported.
 */
export class PlayerToken {
  readonly #storage: TokenStorage | undefined;
  readonly #clock: Clock;
  readonly #report: (error: ResparkError) => void;
  #token: string | undefined;
  /** The only load, running or done. All attempts wait for it, so that none becomes a guest after another gave up. */
  #loading: Promise<void> | undefined;
  /** Whether the player was forgotten: the result of a load that is still running is then ignored. */
  #isForgotten = false;
  /** False if the storage could not be read: it may hold another player, whom a guest must not overwrite. */
  #maySave = true;
  #saving: Promise<void> | undefined;
  /** Ends the renewal on the current connection. */
  #cancelRenewal: () => void = () => {};

  constructor(options: {
    readonly token: string | undefined;
    readonly storage: TokenStorage | undefined;
    readonly clock: Clock;
    readonly report: (error: ResparkError) => void;
  }) {
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#report = options.report;
    this.#token = options.token;
    if (options.token !== undefined) this.#loading = Promise.resolve();
  }

  /** The newest token. If the storage does not answer within the `timeoutMs` of the first call, it counts as failed. */
  async load(timeoutMs: number): Promise<string | undefined> {
    this.#loading ??= this.#loadStored(timeoutMs);
    await this.#loading;
    return this.#token;
  }

  async #loadStored(timeoutMs: number): Promise<void> {
    const storage = this.#storage;
    if (storage === undefined) return;
    let cancel = () => {};
    try {
      const timeout = new Promise<never>((_, reject) => {
        cancel = afterDeadline(this.#clock, timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
      });
      const stored = await Promise.race([(async () => storage.load())(), timeout]);
      if (!this.#isForgotten) this.#token = stored;
    } catch (error) {
      if (!this.#isForgotten) this.#maySave = false;
      this.#report(
        new ResparkError('the stored token could not be loaded; connecting as a guest', {
          code: 'storage',
          cause: error,
        }),
      );
    } finally {
      cancel();
    }
  }

  /** Asks for a token now, and again at half of each token's lifetime, until `stopRenewing` is called. */
  startRenewing(ask: () => Promise<Payload>, lifetimeMs: number): void {
    this.stopRenewing();
    let isStopped = false;
    let cancelWait = () => {};
    this.#cancelRenewal = () => {
      isStopped = true;
      cancelWait();
    };
    const renew = async () => {
      let waitMs = lifetimeMs / 2;
      try {
        const token = tokenIn(await ask());
        if (isStopped) return;
        this.#token = token;
        if (this.#maySave) void this.#save();
      } catch (error) {
        if (isStopped) return;
        waitMs = Math.min(waitMs, RENEWAL_RETRY_MS);
        this.#report(
          new ResparkError('could not get a new player token; asking again later', { code: 'token', cause: error }),
        );
      }
      cancelWait = this.#clock.after(Math.max(waitMs, MIN_RENEWAL_MS), () => void renew());
    };
    void renew();
  }

  stopRenewing(): void {
    this.#cancelRenewal();
  }

  /** Forgets the player. Resolves when the storage has deleted its token too. */
  async forget(): Promise<void> {
    this.stopRenewing();
    this.#token = undefined;
    this.#isForgotten = true;
    this.#loading ??= Promise.resolve();
    this.#maySave = true;
    await this.#save();
  }

  /** Saves the newest token, one save at a time; a token that arrives during a save is saved after it. */
  #save(): Promise<void> {
    this.#saving ??= this.#saveUntilCurrent();
    return this.#saving;
  }

  async #saveUntilCurrent(): Promise<void> {
    let token: string | undefined;
    do {
      token = this.#token;
      try {
        await this.#storage?.save(token);
      } catch (error) {
        this.#report(new ResparkError('the player token could not be saved', { code: 'storage', cause: error }));
      }
    } while (token !== this.#token);
    this.#saving = undefined;
  }
}

function tokenIn(payload: Payload): string {
  const token = payload.AuthenticationToken;
  if (typeof token === 'string' && token !== '' && token.length <= MAX_TOKEN_LENGTH) return token;
  throw new ResparkError(`AuthenticationToken must be a string of 1-${MAX_TOKEN_LENGTH} characters`, {
    code: 'bad_frame',
  });
}
