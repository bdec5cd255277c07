import { MAX_TOKEN_LENGTH, type Payload } from '@respark/protocol';
import type { Clock } from './clock.ts';
import { ResparkError } from './errors.ts';

/** Where a player's token survives a restart. Keep it as safe as a password: who has it is the player. */
export interface TokenStorage {
  load(): Promise<string | undefined> | string | undefined;
  /** `undefined` forgets what was saved. Never called again before it has settled. */
  save(token: string | undefined): Promise<void> | void;
}

const RENEWAL_RETRY_MS = 60_000;
/** However short-lived the tokens, asking for them must not become the client's main occupation. */
const MIN_RENEWAL_MS = 1_000;

/**
 * The token that makes the same player come back: loaded once, kept fresh while connected, saved at each change. Nothing
 * in here rejects or throws; failures are reported.
 */
export class PlayerToken {
  readonly #storage: TokenStorage | undefined;
  readonly #clock: Clock;
  readonly #report: (error: ResparkError) => void;
  #token: string | undefined;
  /** The one load, under way or done: an attempt given up while it runs must not make the next one a guest. */
  #loading: Promise<void> | undefined;
  /** What a load still under way brings is then no longer the player. */
  #isForgotten = false;
  /** A storage that could not be read may hold another player: that one must not be overwritten by a guest. */
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

  /** The newest token. The storage gets the `timeoutMs` of the first call to answer, then it counts as failed. */
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
        cancel = this.#clock.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
      });
      const stored = await Promise.race([(async () => storage.load())(), timeout]);
      if (!this.#isForgotten) this.#token = stored;
    } catch (error) {
      if (!this.#isForgotten) this.#maySave = false;
      this.#report(
        new ResparkError('the stored token could not be loaded; playing as a guest', { code: 'storage', cause: error }),
      );
    } finally {
      cancel();
    }
  }

  /** Asks for a token now and again at half of its life, until `stopRenewing`. */
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
        this.#report(new ResparkError('no new player token; asking again later', { code: 'token', cause: error }));
      }
      cancelWait = this.#clock.after(Math.max(waitMs, MIN_RENEWAL_MS), () => void renew());
    };
    void renew();
  }

  stopRenewing(): void {
    this.#cancelRenewal();
  }

  /** Resolves when the storage has forgotten too. */
  async forget(): Promise<void> {
    this.stopRenewing();
    this.#token = undefined;
    this.#isForgotten = true;
    this.#loading ??= Promise.resolve();
    this.#maySave = true;
    await this.#save();
  }

  /** Saves the newest token, one save at a time; a token that came during a save is saved next. */
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
