import { MAX_TOKEN_LENGTH, type Payload } from '@respark/protocol';
import type { Clock } from './clock.ts';
import { afterDeadline } from './deadline.ts';
import { ResparkError } from './errors.ts';

/** Whose token it is. A storage that serves one player only may ignore it. */
export interface TokenScope {
  /** Where the client connects, with the path. */
  readonly url: string;
  /** Names the stage of the game; a token is valid for one stage. */
  readonly gameKey: string;
  /** The player whom the server named when it gave the token that is saved. */
  readonly playerId?: string | undefined;
}

/** Where a player's token survives a restart. Protect it like a password: any client with it can be the player. */
export interface TokenStorage {
  load(scope: TokenScope): Promise<string | undefined> | string | undefined;
  /** `undefined` deletes what was saved. The SDK never calls it again before the last call has settled. */
  save(token: string | undefined, scope: TokenScope): Promise<void> | void;
  /**
   * Whether others save to it too, such as the same page in another tab. It is then loaded before each attempt, and what
   * it holds decides which player the client is; otherwise it is loaded once.
   */
  readonly isShared?: boolean;
}

/**
 * Gives the player's newest token, such as one of the game's identity provider. It is asked before each attempt; with
 * `wasRefused` because the server has just refused what it gave, which then has expired or was never good.
 */
export type TokenSource = (asked: { readonly wasRefused: boolean }) => Promise<string> | string;

const RENEWAL_RETRY_MS = 60_000;
/** However short-lived the tokens are, the client asks for them no more often than this. */
const MIN_RENEWAL_MS = 1_000;

/**
 * The token with which the client comes back as the same player. It is loaded once, or before each attempt if the
 * storage is shared, renewed while connected, and saved at each change. Where a source gives the tokens, it is asked
 * instead, and nothing is renewed or saved. No method rejects or throws but `load` where the source fails; other failures
 * are reported.
 */
export class PlayerToken {
  readonly #storage: TokenStorage | undefined;
  readonly #clock: Clock;
  readonly #report: (error: ResparkError) => void;
  readonly #scope: TokenScope;
  #token: string | undefined;
  /** Whose token it is, if the server has said so. */
  #playerId: string | undefined;
  /** The latest load, running or done. All attempts wait for it, so that none becomes a guest after another gave up. */
  #loading: Promise<void> | undefined;
  #isLoading = false;
  /** Whether the token was given, so that what the storage holds does not matter. */
  #isGiven: boolean;
  #source: TokenSource | undefined;
  /** Whether the server has refused what the source gave, and has not accepted any since. */
  #wasRefused = false;
  /** Counts how often the player was forgotten: the result of a load that was running then is ignored. */
  #forgotten = 0;
  /** Whether the storage could be read, ever. */
  #wasLoaded = false;
  /** False if the storage could not be read: it may hold another player, whom a guest must not overwrite. */
  #maySave = true;
  #saving: Promise<void> | undefined;
  /** What the storage held when it was last read or written. */
  #held: string | undefined;
  /** Whether the last change could not be saved: what is in memory counts then, until the storage holds something else. */
  #isUnsaved = false;
  /** Ends the renewal on the current connection. */
  #cancelRenewal: () => void = () => {};

  constructor(options: {
    readonly token: string | TokenSource | undefined;
    readonly storage: TokenStorage | undefined;
    readonly scope: TokenScope;
    readonly clock: Clock;
    readonly report: (error: ResparkError) => void;
  }) {
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#report = options.report;
    this.#scope = options.scope;
    const { token } = options;
    this.#source = typeof token === 'function' ? token : undefined;
    this.#token = typeof token === 'function' ? undefined : token;
    this.#isGiven = token !== undefined;
  }

  /**
   * The newest token. If the storage does not answer within the `timeoutMs` of the first call, it counts as failed.
   * Rejects when a source fails or takes longer: the client must not connect as another player instead.
   */
  async load(timeoutMs: number): Promise<string | undefined> {
    if (this.#source !== undefined) return await this.#ask(this.#source, timeoutMs);
    const isDue = this.#loading === undefined || (this.#storage?.isShared === true && !this.#isLoading);
    if (isDue && !this.#isGiven) this.#loading = this.#loadStored(timeoutMs);
    await this.#loading;
    return this.#token;
  }

  async #ask(source: TokenSource, timeoutMs: number): Promise<string> {
    const token: unknown = await this.#within(timeoutMs, async () => source({ wasRefused: this.#wasRefused }));
    if (typeof token === 'string' && token !== '' && token.length <= MAX_TOKEN_LENGTH) return token;
    throw new Error(`it must give a string of 1-${MAX_TOKEN_LENGTH} characters`);
  }

  async #within<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    let cancel = () => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = afterDeadline(this.#clock, timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
    });
    try {
      return await Promise.race([work(), timeout]);
    } finally {
      cancel();
    }
  }

  /** Takes that the server has refused the token. Whether there is reason to try another one, which is once. */
  refused(): boolean {
    if (this.#source === undefined || this.#wasRefused) return false;
    this.#wasRefused = true;
    return true;
  }

  async #loadStored(timeoutMs: number): Promise<void> {
    const storage = this.#storage;
    if (storage === undefined) return;
    const forgotten = this.#forgotten;
    this.#isLoading = true;
    try {
      const stored = await this.#within(timeoutMs, async () => storage.load(this.#scope));
      if (forgotten === this.#forgotten) this.#loaded(stored);
    } catch (error) {
      if (forgotten === this.#forgotten) this.#maySave = this.#wasLoaded;
      const instead = this.#token === undefined ? 'connecting as a guest' : 'connecting with the one in memory';
      this.#report(
        new ResparkError(`the stored token could not be loaded; ${instead}`, { code: 'storage', cause: error }),
      );
    } finally {
      this.#isLoading = false;
    }
  }

  /** A guest whose token could not be saved, because the storage could not be read, stays the player if it is empty. */
  #loaded(stored: string | undefined): void {
    const isOutdated = (this.#isUnsaved || this.#saving !== undefined) && stored === this.#held;
    if (!isOutdated && (stored !== undefined || this.#wasLoaded)) this.#token = stored;
    this.#held = stored;
    this.#wasLoaded = true;
    this.#maySave = true;
  }

  /** Asks for a token of this player now, and again at half of each lifetime, until `stopRenewing` is called. */
  startRenewing(ask: () => Promise<Payload>, playerId: string, lifetimeMs: number): void {
    this.stopRenewing();
    this.#wasRefused = false;
    if (this.#source !== undefined) return;
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
        this.#playerId = playerId;
        if (this.#maySave) void this.#save();
      } catch (error) {
        if (isStopped) return;
        waitMs = Math.min(waitMs, RENEWAL_RETRY_MS);
        this.#report(
          new ResparkError('could not get a new player token; asking again later', { code: 'token', cause: error }),
        );
      }
      // A listener that heard of a failure, also of the storage, may have closed the client.
      if (isStopped) return;
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
    this.#source = undefined;
    this.#forgotten += 1;
    this.#isGiven = false;
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
        // What it throws at once must come no earlier than a rejection would: `#saving` is set only then.
        await (async () => this.#storage?.save(token, { ...this.#scope, playerId: this.#playerId }))();
        this.#held = token;
        this.#isUnsaved = false;
      } catch (error) {
        this.#isUnsaved = true;
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
