import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { RandomBytes } from '../random.ts';
import type { Store } from '../store/store.ts';
import { withoutCredentials } from '../text.ts';
import type { Audit, Change } from './audit/audit.ts';
import { createIdentify, type Identified, type NotIdentified } from './players/identify.ts';
import type { PlayerTokens } from './players/player-tokens.ts';
import type { ProviderTokens } from './players/provider-tokens.ts';
import { faultOfIdentity, readIdentity, type StageIdentity } from './players/stage-identity.ts';
import { getActiveStage } from './stages.ts';

/** What may be stored of one stage, in JSON: far more than ten providers need. */
const MAX_IDENTITY_CHARACTERS = 32_768;

/** Who may be a player of a stage. All methods throw `not_found` for a stage that is unknown or being deleted. */
export interface StageIdentities {
  get(gameName: string, stageName: string): Promise<StageIdentity>;

  /** Changes what is given, and leaves the rest. Hellos heed it at once here, and within a second on other nodes. */
  update(
    gameName: string,
    stageName: string,
    change: { readonly [Part in keyof StageIdentity]?: StageIdentity[Part] | undefined },
    onRecord: Change,
  ): Promise<StageIdentity>;

  /** What a hello with this token would come to at the moment. Changes nothing. */
  check(gameName: string, stageName: string, token: string): Promise<Identified | NotIdentified>;
}

export function createStageIdentities({
  store,
  audit,
  tokens,
  providerTokens,
  clock,
  random,
  settings,
}: {
  store: Store;
  audit: Audit;
  tokens: Pick<PlayerTokens, 'verify'>;
  providerTokens: ProviderTokens;
  clock: Clock;
  random: RandomBytes;
  settings: { readonly playerTokenLifetimeMs: number };
}): StageIdentities {
  const identify = createIdentify({ tokens, providerTokens, clock, random, settings });

  return {
    async get(gameName, stageName) {
      return readIdentity((await getActiveStage(store, { gameName, stageName })).identity);
    },

    update: (gameName, stageName, change, onRecord) =>
      audit.around({ details: detailsOf(change), ...onRecord }, () =>
        store.transaction(async (store) => {
          const stage = await getActiveStage(store, { gameName, stageName });
          const before = readIdentity(stage.identity);
          if (Object.values(change).every((part) => part === undefined)) return before;
          const identity: StageIdentity = {
            allowGuests: change.allowGuests ?? before.allowGuests,
            providers: change.providers ?? before.providers,
            sessionSeconds: change.sessionSeconds ?? before.sessionSeconds,
          };
          const stored = JSON.stringify(identity);
          const fault = faultOfIdentity(identity) ?? faultOfLength(stored);
          if (fault !== undefined) throw new ServiceError('validation', fault);
          await store.stages.update(stage.id, { identity: stored, updatedAt: clock.now() });
          return identity;
        }),
      ),

    async check(gameName, stageName, token) {
      return await identify(await getActiveStage(store, { gameName, stageName }), token);
    },
  };
}

function faultOfLength({ length }: string): string | undefined {
  if (length <= MAX_IDENTITY_CHARACTERS) return undefined;
  return `the providers of a stage may have ${MAX_IDENTITY_CHARACTERS} characters of JSON together, got ${length}: list fewer audiences and claims`;
}

/** What stands on record: whom the stage trusts from now on, and whether it lets guests in. */
function detailsOf({ allowGuests, providers, sessionSeconds }: Parameters<StageIdentities['update']>[2]) {
  return {
    ...(allowGuests === undefined ? {} : { allowGuests: String(allowGuests) }),
    ...(providers === undefined
      ? {}
      : {
          issuers: providers.map(({ issuer }) => issuer).join(' '),
          // What is refused is on record too, and a record goes to many people and stays.
          jwksUrls: providers.map(({ jwksUrl }) => withoutCredentials(jwksUrl)).join(' '),
          // Two records whose digests are alike set the same providers, to the last claim.
          providersDigest: hash('sha256', JSON.stringify(providers), 'hex'),
        }),
    ...(sessionSeconds === undefined ? {} : { sessionSeconds: String(sessionSeconds) }),
  };
}
