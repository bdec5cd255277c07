import type { Identified, NotIdentified } from '../../domain/players/identify.ts';
import { ALGORITHMS, type IdentityProvider, PLAYER_ID_FORMS } from '../../domain/players/provider-tokens.ts';
import { MAX_CLOCK_SKEW_SECONDS, MAX_PROVIDERS, type StageIdentity } from '../../domain/players/stage-identity.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageResource, stageTags } from '../operations/resources.ts';
import { gameName, playerId, stageName } from '../operations/shapes.ts';
import {
  boolean,
  document,
  exact,
  integer,
  label,
  list,
  map,
  PreparedJson,
  prepared,
  string,
  structure,
  timestamp,
  type Value,
} from '../shape.ts';
import { ownOperation } from './own-operation.ts';
import { MANY_ON_RECORD } from './wording.ts';

const claimName = string({ min: 1, max: 128 });
const sessionSeconds = integer({ min: 60, max: 315_360_000 });

const provider = exact(
  structure(
    {
      Algorithms: list(string({ enum: ALGORITHMS }), { min: 1, max: ALGORITHMS.length }),
      Audiences: list(string({ min: 1, max: 256 }), { min: 1, max: 10 }),
      Claims: list(claimName, { min: 0, max: 20 }),
      ClockSkewSeconds: integer({ min: 0, max: MAX_CLOCK_SKEW_SECONDS }),
      Issuer: string({ min: 1, max: 512 }),
      JwksUrl: string({ min: 1, max: 2_048 }),
      PlayerIdClaim: claimName,
      PlayerIdForm: string({ enum: PLAYER_ID_FORMS }),
      PlayerIdPrefix: string({ min: 0, max: 16, pattern: '^[a-zA-Z0-9_-]*$' }),
    },
    ['Algorithms', 'Audiences', 'Issuer', 'JwksUrl'],
  ),
);
const providers = list(provider, { min: 0, max: MAX_PROVIDERS });

const identity = structure({ AllowGuests: boolean(), Providers: providers, SessionSeconds: sessionSeconds });

export const getStageIdentity = ownOperation({
  name: 'GetStageIdentity',
  http: { method: 'GET', path: '/respark/game/{GameName}/stage/{StageName}/identity' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), StageName: label(stageName) }, ['GameName', 'StageName']),
  output: structure({ Identity: identity }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Says who may be a player of the stage. A stage for which nothing was set lets guests in and has no identity providers. Without `SessionSeconds`, sessions last as long as `RESPARK_PLAYER_TOKEN_LIFETIME_MS` says.',
  ],
  async handler({ input, services }) {
    return { Identity: toWire(await services.stageIdentities.get(input.GameName, input.StageName)) };
  },
});

export const updateStageIdentity = ownOperation({
  name: 'UpdateStageIdentity',
  http: { method: 'PUT', path: '/respark/game/{GameName}/stage/{StageName}/identity' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(
    {
      AllowGuests: boolean(),
      GameName: label(gameName),
      Providers: providers,
      SessionSeconds: sessionSeconds,
      StageName: label(stageName),
    },
    ['GameName', 'StageName'],
  ),
  output: structure({ Identity: identity }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  recordedBytes: ({ Providers = [] }) =>
    Buffer.byteLength(JSON.stringify(Providers.map(({ Issuer, JwksUrl }) => [Issuer, JwksUrl]))),
  decisions: [
    'What is left out stays as it is. `Providers` is the whole list of them, and an empty one removes all.',
    'Hellos heed the change at once on the node that made it, and within a second on others. Connections stay open, and so does the way back for players who have a token of the stage’s own, guests included, until that token expires.',
    '`JwksUrl` begins with https://, or with http:// where the host is localhost, 127.0.0.1 or [::1], and is not asked before the first token comes. `ClockSkewSeconds` is 0, `PlayerIdClaim` `sub`, `PlayerIdForm` `PLAIN`, `PlayerIdPrefix` empty and `Claims` empty where they are left out.',
    'With `PLAIN`, the player’s id is the prefix and the claim, which must give 1-44 letters, digits, `_` and `-`, or the token is refused. With `HASHED` it is the prefix and the first 27 characters of the SHA-256, in base64url, of the issuer, a line feed and the claim. Of several providers, no prefix may be the beginning of another’s, so that none of them can name a player of another’s.',
    '`SessionSeconds` says for how long tokens of the stage’s own stand in for a provider’s, counted from the hello; it is never longer than `RESPARK_PLAYER_TOKEN_LIFETIME_MS`.',
    `The call is on record, with the issuers and the URLs. ${MANY_ON_RECORD}`,
  ],
  async handler({ input, services, change }) {
    const asked = {
      allowGuests: input.AllowGuests,
      providers: input.Providers?.map(toProvider),
      sessionSeconds: input.SessionSeconds,
    };
    const { GameName, StageName } = input;
    return { Identity: toWire(await services.stageIdentities.update(GameName, StageName, asked, change)) };
  },
});

export const checkPlayerToken = ownOperation({
  name: 'CheckPlayerToken',
  http: { method: 'POST', path: '/respark/game/{GameName}/stage/{StageName}/token-check' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), StageName: label(stageName), Token: string({ min: 1, max: 4_096 }) }, [
    'GameName',
    'StageName',
    'Token',
  ]),
  output: structure({
    Claims: prepared(map(claimName, document())),
    IsAccepted: boolean(),
    Issuer: string(),
    Issued: timestamp(),
    PlayerId: playerId,
    Reason: string(),
    SessionEnds: timestamp(),
  }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Says what a hello with this token would come to at the moment: who the player is and what handlers may read, or why it would be refused, in the words that its client would get. `Issuer` is there for a token of an identity provider. It may fetch the provider’s keys.',
    'Anybody who has the token can play as the player, so it is neither logged nor on record.',
  ],
  async handler({ input, services }) {
    const { GameName, StageName, Token } = input;
    return toVerdict(await services.stageIdentities.check(GameName, StageName, Token));
  },
});

const toProvider = (given: Value<typeof provider>): IdentityProvider => ({
  issuer: given.Issuer,
  jwksUrl: given.JwksUrl,
  audiences: given.Audiences,
  algorithms: given.Algorithms as IdentityProvider['algorithms'],
  clockSkewSeconds: given.ClockSkewSeconds ?? 0,
  playerIdClaim: given.PlayerIdClaim ?? 'sub',
  playerIdForm: (given.PlayerIdForm ?? 'PLAIN') as IdentityProvider['playerIdForm'],
  playerIdPrefix: given.PlayerIdPrefix ?? '',
  claims: given.Claims ?? [],
});

function toWire({ allowGuests, providers, sessionSeconds }: StageIdentity): Value<typeof identity> {
  return {
    AllowGuests: allowGuests,
    SessionSeconds: sessionSeconds,
    Providers: providers.map((one) => ({
      Algorithms: one.algorithms,
      Audiences: one.audiences,
      Claims: one.claims,
      ClockSkewSeconds: one.clockSkewSeconds,
      Issuer: one.issuer,
      JwksUrl: one.jwksUrl,
      PlayerIdClaim: one.playerIdClaim,
      PlayerIdForm: one.playerIdForm,
      PlayerIdPrefix: one.playerIdPrefix,
    })),
  };
}

function toVerdict(found: Identified | NotIdentified) {
  if (!found.isIdentified) {
    return { IsAccepted: false, Reason: found.text ?? 'The token is expired, damaged or of another stage.' };
  }
  const { playerId: id, issuer, issuedAtMs, session } = found;
  return {
    IsAccepted: true,
    PlayerId: id,
    Issuer: issuer,
    Issued: issuedAtMs,
    SessionEnds: session?.untilMs,
    Claims: new PreparedJson(Buffer.from(JSON.stringify(session?.claims ?? {}))),
  };
}
