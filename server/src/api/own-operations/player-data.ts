import type { Arns } from '../../domain/arn.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageTags } from '../operations/resources.ts';
import { nextToken } from '../operations/shapes.ts';
import { document, integer, map, PreparedJson, prepared, query, string, structure } from '../shape.ts';
import { stagePlayerMembers } from './block-shapes.ts';
import { ownOperation } from './own-operation.ts';
import { sharedTime } from './shared-time.ts';

interface PlayerInput {
  readonly GameName: string;
  readonly StageName: string;
  readonly PlayerId: string;
}

const PATH = '/respark/game/{GameName}/stage/{StageName}/player/{PlayerId}/data';
const REQUIRED = ['GameName', 'PlayerId', 'StageName'] as const;

const count = integer({ min: 0 });

const resource = ({ GameName, StageName, PlayerId }: PlayerInput, arns: Arns) => [
  arns.stage(GameName, StageName),
  arns.player(GameName, StageName, PlayerId),
];

const nameOf = ({ GameName, StageName, PlayerId }: PlayerInput) => ({
  gameName: GameName,
  stageName: StageName,
  playerId: PlayerId,
});

export const getPlayerData = ownOperation({
  name: 'GetPlayerData',
  http: { method: 'GET', path: PATH },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ ...stagePlayerMembers, NextToken: query(nextToken) }, REQUIRED),
  output: structure(
    {
      Bytes: count,
      ChargedBytes: count,
      Keys: count,
      NextToken: nextToken,
      Values: prepared(map(string(), document())),
      Version: count,
    },
    ['Bytes', 'ChargedBytes', 'Keys', 'Values', 'Version'],
  ),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource,
  resourceTags: stageTags,
  decisions: [
    'Gives what the scripts of a stage keep about a player (`SetData`), whether or not the player is there or has ever been: `Values` are JSON values by their keys. A player of whom nothing is kept has no `Keys`, and `Version` 0.',
    '`Keys` and `Bytes` are how much the player has on all pages together, in keys and in bytes of these and their values, which `RESPARK_PLAYER_DATA_MAX_KEYS` and `RESPARK_PLAYER_DATA_MAX_BYTES` limit. `ChargedBytes` are those that it takes of `RESPARK_PLAYER_DATA_MAX_BYTES_PER_STAGE`: 128 more for each key.',
    'A page has about 64 KiB, or one value that is longer, so most players have one page. All pages are of one `Version`, which each write changes: when it has changed since the first page, the call is a `ConflictException`, and the caller begins again without `NextToken`. A player who is blocked or disconnected changes nothing meanwhile.',
    sharedTime('reads of player data'),
    'Player data is personal data in many places: grant this action to whom it concerns. Like other calls that only read, it leaves no record.',
  ],
  async handler({ input, services }) {
    const page = await services.keptData.get(nameOf(input), input.NextToken);
    return {
      Bytes: page.bytes,
      ChargedBytes: page.charge,
      Keys: page.keys,
      NextToken: page.nextToken,
      Values: new PreparedJson(page.values),
      Version: page.version,
    };
  },
});

export const deletePlayerData = ownOperation({
  name: 'DeletePlayerData',
  http: { method: 'DELETE', path: PATH },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(stagePlayerMembers, REQUIRED),
  output: structure({ DeletedBytes: count, DeletedKeys: count, FreedBytes: count }, [
    'DeletedBytes',
    'DeletedKeys',
    'FreedBytes',
  ]),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource,
  resourceTags: stageTags,
  decisions: [
    'Removes everything that the scripts of a stage keep about a player, in one step and for good, whatever the player’s connections do: no script sees a part of it. A write that rests on what a script has read before fails with its `conflict`.',
    '`DeletedKeys` and `DeletedBytes` are how much that was, and `FreedBytes` are those that the stage may fill again. Where there was nothing, all are 0, and the call is no error: it may be repeated.',
    'Nothing keeps scripts from writing about the player again, also those that are at work for others. So block the player first (BlockPlayer), or disconnect them where nothing but their own messages writes.',
    'It is on record, also when there was nothing to delete: the `Counts` of the `Outcome` have the `keys` and the `bytes`, and no key or value is on record.',
    'What else is there of a player stays: logs, audit records, blocks, events and backups ([live-operations.md](live-operations.md#a-player-asks-what-is-kept-or-wants-it-gone)).',
  ],
  async handler({ input, services, change }) {
    const { keys, bytes, charge } = await services.keptData.delete(nameOf(input), change);
    return { DeletedBytes: bytes, DeletedKeys: keys, FreedBytes: charge };
  },
});
