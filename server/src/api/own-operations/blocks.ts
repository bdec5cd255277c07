import type { Arns } from '../../domain/arn.ts';
import type { DisconnectResult } from '../../domain/players/disconnect.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { gameResource, gameTags, stageResource, stageTags } from '../operations/resources.ts';
import { gameName, maxResults, nextToken } from '../operations/shapes.ts';
import { boolean, label, list, query, structure, timestamp } from '../shape.ts';
import {
  block,
  blockMembers,
  durationMembers,
  durationOf,
  endedMembers,
  gamePlayerMembers,
  listedBlock,
  stageMembers,
  stagePlayerMembers,
  toBlock,
} from './block-shapes.ts';
import { ownOperation } from './own-operation.ts';
import { LONG_RECORDS, recordedBytesOf, wordingMembers, wordingOf } from './wording.ts';

const STAGE_PLAYER = '/respark/game/{GameName}/stage/{StageName}/player/{PlayerId}';
const GAME_PLAYER = '/respark/game/{GameName}/player/{PlayerId}';

const IN_GAME = ['GameName', 'PlayerId'] as const;
const IN_STAGE = ['GameName', 'PlayerId', 'StageName'] as const;

interface GamePlayer {
  readonly GameName: string;
  readonly PlayerId: string;
}

interface StagePlayer extends GamePlayer {
  readonly StageName: string;
}

/** As for the operations of Amazon's about a player: a policy can restrict a key to a stage or to certain players. */
const stagePlayerResource = ({ GameName, StageName, PlayerId }: StagePlayer, arns: Arns) => [
  arns.stage(GameName, StageName),
  arns.player(GameName, StageName, PlayerId),
];

const nameOf = ({ GameName, StageName, PlayerId }: GamePlayer & { readonly StageName?: string }) => ({
  gameName: GameName,
  stageName: StageName,
  playerId: PlayerId,
});

const toEnded = ({ successes, failures }: DisconnectResult) => ({
  DisconnectFailures: failures,
  DisconnectSuccesses: successes,
});

const BLOCKED =
  'Once the call has returned, no connection of the player is welcomed on any node, whichever took the call, and those that there were have ended. Exceptions are the connections in `DisconnectFailures`: the node that owns one did not prove its end in time, which the server goes on with, so that `GetBlock` says `Enforced` once all have ended; or somebody has let the player in again before the call could end them, and they are left alone.';
const TERMS =
  'The block lasts until `Until`, or for `Seconds`, or for good. Players are told with the close code 4510, those who are connected too; its reason has `Message` as far as it fits, and `until`. `Reason`, `Message` and `Messages` are what they are for DisconnectPlayer; `Evidence` is kept with the block, and GetBlock shows it to the staff. Players who are connected get what is for them in the notification `Respark.Farewell` before, which may be as long as that of DisconnectPlayer. A block that is there already is replaced.';
const KEPT =
  'A game has at most `RESPARK_MAX_BLOCKS_PER_GAME` blocks, those of its stages included, and as many revocations; a new one beyond that is a `ServiceQuotaExceededException`, while one that is there can be replaced. `Reason`, `Message`, `Messages` and `Evidence` may have 8,192 bytes together. A block that has ended is forgotten after an hour, or sooner when there is no room. Blocks and revocations of one game are stored one after the other: one that has waited for 5 s is a `ThrottlingException`, and changes nothing.';
const AWAY =
  'It is a retryable `InternalServerException` while the directory of the cluster is away. The block is stored all the same, and comes into force as soon as the directory is back.';
const LIFTED =
  'Once the call has returned, no later attempt of the player to connect is refused because of the block. A player who is not blocked stays so: `WasBlocked` is false then.';
const REVOKED =
  'Refuses every token of the player that was issued before the call, on all nodes: a client that comes with one is closed with 4503. Connections are ended too, with 4500, unless `KeepConnections` is true and no earlier call has still to end some; one that goes on can get no new token if it signed in before. Tokens that are issued after the call count. `DisconnectFailures` are connections whose ends no node proved in time: the server goes on to end them, and leaves alone whoever has signed in since.';

export const blockPlayer = ownOperation({
  name: 'BlockPlayer',
  http: { method: 'POST', path: `${STAGE_PLAYER}/block` },
  isIdempotent: true,
  throttleClass: 'disconnect',
  recordedBytes: (input) => recordedBytesOf(input),
  input: structure({ ...stagePlayerMembers, ...wordingMembers, ...durationMembers }, IN_STAGE),
  output: structure({ Block: block, ...endedMembers }),
  errors: [...COMMON_ERRORS, 'not_found', 'quota_exceeded'],
  resource: stagePlayerResource,
  resourceTags: stageTags,
  decisions: ['Keeps a player from connecting to a stage.', BLOCKED, TERMS, LONG_RECORDS, KEPT, AWAY],
  async handler({ input, services, change }) {
    const asked = { ...wordingOf(input), ...durationOf(input) };
    const { block, ended } = await services.blocks.block(nameOf(input), asked, change);
    return { Block: toBlock({ ...block, stageName: input.StageName }), ...toEnded(ended) };
  },
});

export const blockPlayerInGame = ownOperation({
  name: 'BlockPlayerInGame',
  http: { method: 'POST', path: `${GAME_PLAYER}/block` },
  isIdempotent: true,
  throttleClass: 'disconnect',
  recordedBytes: (input) => recordedBytesOf(input),
  input: structure({ ...gamePlayerMembers, ...wordingMembers, ...durationMembers }, IN_GAME),
  output: structure({ Block: block, ...endedMembers }),
  errors: [...COMMON_ERRORS, 'not_found', 'quota_exceeded'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'As BlockPlayer, in all stages of the game, also those that are made later.',
    BLOCKED,
    TERMS,
    LONG_RECORDS,
    KEPT,
    AWAY,
  ],
  async handler({ input, services, change }) {
    const asked = { ...wordingOf(input), ...durationOf(input) };
    const { block, ended } = await services.blocks.block(nameOf(input), asked, change);
    return { Block: toBlock(block), ...toEnded(ended) };
  },
});

export const unblockPlayer = ownOperation({
  name: 'UnblockPlayer',
  http: { method: 'DELETE', path: `${STAGE_PLAYER}/block` },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(stagePlayerMembers, IN_STAGE),
  output: structure({ WasBlocked: boolean() }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stagePlayerResource,
  resourceTags: stageTags,
  decisions: ['Ends a block that BlockPlayer has set; one in the whole game stays.', LIFTED],
  async handler({ input, services, change }) {
    return { WasBlocked: await services.blocks.unblock(nameOf(input), change) };
  },
});

export const unblockPlayerInGame = ownOperation({
  name: 'UnblockPlayerInGame',
  http: { method: 'DELETE', path: `${GAME_PLAYER}/block` },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(gamePlayerMembers, IN_GAME),
  output: structure({ WasBlocked: boolean() }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: ['Ends a block that BlockPlayerInGame has set; those in single stages stay.', LIFTED],
  async handler({ input, services, change }) {
    return { WasBlocked: await services.blocks.unblock(nameOf(input), change) };
  },
});

export const getBlock = ownOperation({
  name: 'GetBlock',
  http: { method: 'GET', path: `${STAGE_PLAYER}/block` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(stagePlayerMembers, IN_STAGE),
  output: structure({ Block: block }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stagePlayerResource,
  resourceTags: stageTags,
  decisions: ['Describes the block of a player in a stage; it is a `ResourceNotFoundException` when there is none.'],
  async handler({ input, services }) {
    const block = await services.blocks.get(nameOf(input));
    return { Block: toBlock({ ...block, stageName: input.StageName }) };
  },
});

export const getBlockInGame = ownOperation({
  name: 'GetBlockInGame',
  http: { method: 'GET', path: `${GAME_PLAYER}/block` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(gamePlayerMembers, IN_GAME),
  output: structure({ Block: structure(blockMembers) }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Describes the block of a player in the whole game; it is a `ResourceNotFoundException` when there is none.',
  ],
  async handler({ input, services }) {
    return { Block: toBlock(await services.blocks.get(nameOf(input))) };
  },
});

const PAGES =
  'Blocks that have ended are not listed. Pages have at most 100, in no order that means anything, and end early when they have more than 64 KiB. `Evidence` is not in them: GetBlock has it.';

export const listBlocks = ownOperation({
  name: 'ListBlocks',
  http: { method: 'GET', path: '/respark/game/{GameName}/stage/{StageName}/block' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ ...stageMembers, MaxResults: query(maxResults), NextToken: query(nextToken) }, [
    'GameName',
    'StageName',
  ]),
  output: structure({ Blocks: list(listedBlock), NextToken: nextToken }, ['Blocks']),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: ['Lists who is blocked in a stage by a block of that stage.', PAGES],
  async handler({ input, services }) {
    const place = { gameName: input.GameName, stageName: input.StageName };
    const page = await services.blocks.list(place, { maxResults: input.MaxResults, nextToken: input.NextToken });
    return { Blocks: page.items.map(toBlock), NextToken: page.nextToken };
  },
});

export const listBlocksInGame = ownOperation({
  name: 'ListBlocksInGame',
  http: { method: 'GET', path: '/respark/game/{GameName}/block' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), MaxResults: query(maxResults), NextToken: query(nextToken) }, [
    'GameName',
  ]),
  output: structure({ Blocks: list(listedBlock), NextToken: nextToken }, ['Blocks']),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: ['Lists who is blocked in a game: in the whole game, and in each stage, which `StageName` names.', PAGES],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.blocks.list({ gameName: input.GameName }, request);
    return { Blocks: page.items.map(toBlock), NextToken: page.nextToken };
  },
});

const revoked = structure({ ...endedMembers, IssuedBefore: timestamp() });
const revocationMembers = { ...wordingMembers, KeepConnections: boolean() };

export const revokePlayerTokens = ownOperation({
  name: 'RevokePlayerTokens',
  http: { method: 'POST', path: `${STAGE_PLAYER}/token/revocation` },
  isIdempotent: true,
  throttleClass: 'disconnect',
  recordedBytes: (input) => recordedBytesOf(input),
  input: structure({ ...stagePlayerMembers, ...revocationMembers }, IN_STAGE),
  output: revoked,
  errors: [...COMMON_ERRORS, 'not_found', 'quota_exceeded'],
  resource: stagePlayerResource,
  resourceTags: stageTags,
  decisions: [
    REVOKED,
    'Tokens are told apart by the clocks of the nodes or identity providers that issued them, to the millisecond. Most providers say the second alone: a token of theirs that is issued in the rest of the second of the call is refused, too. One that a connected player has got in place of another counts as old as the first. What an earlier call has refused stays refused, also when the clock of the node that takes a later one is behind by up to an hour. A call at a node whose clock is further ahead refuses the player’s tokens until then: call again, at a node whose clock is right.',
    LONG_RECORDS,
    KEPT,
    AWAY,
  ],
  async handler({ input, services, change }) {
    const asked = { ...wordingOf(input), keepsConnections: input.KeepConnections ?? false };
    const { revocation, ended } = await services.blocks.revokeTokens(nameOf(input), asked, change);
    return { ...toEnded(ended), IssuedBefore: revocation.signedInBefore };
  },
});

export const revokePlayerTokensInGame = ownOperation({
  name: 'RevokePlayerTokensInGame',
  http: { method: 'POST', path: `${GAME_PLAYER}/token/revocation` },
  isIdempotent: true,
  throttleClass: 'disconnect',
  recordedBytes: (input) => recordedBytesOf(input),
  input: structure({ ...gamePlayerMembers, ...revocationMembers }, IN_GAME),
  output: revoked,
  errors: [...COMMON_ERRORS, 'not_found', 'quota_exceeded'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'As RevokePlayerTokens, for the player’s tokens of all stages of the game.',
    REVOKED,
    LONG_RECORDS,
    KEPT,
    AWAY,
  ],
  async handler({ input, services, change }) {
    const asked = { ...wordingOf(input), keepsConnections: input.KeepConnections ?? false };
    const { revocation, ended } = await services.blocks.revokeTokens(nameOf(input), asked, change);
    return { ...toEnded(ended), IssuedBefore: revocation.signedInBefore };
  },
});
