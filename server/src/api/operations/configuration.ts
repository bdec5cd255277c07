import type { Configuration } from '../../domain/configurations.ts';
import { grouped } from '../../text.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { blob, document, label, list, PreparedJson, query, string, structure } from '../shape.ts';
import { gameResource, gameTags } from './resources.ts';
import { dateTime, gameName, sectionName, sectionNames, sections } from './shapes.ts';

/** Fits 1,024,000 bytes in base64, with room for escaped slashes and the JSON around them. */
const MAX_IMPORT_BODY_BYTES = 1_500_000;
const MAX_UPDATE_BODY_BYTES = 2_000_000;

const configurationDetails = structure({ Created: dateTime, LastUpdated: dateTime, Sections: sections });

const modification = structure(
  {
    Operation: string({ enum: ['ADD', 'REMOVE', 'REPLACE'] }),
    Path: string({ min: 1, max: 500, pattern: '^\\/.*[^\\/]$' }),
    Section: sectionName,
    Value: document(),
  },
  ['Operation', 'Path', 'Section'],
);

export const getGameConfiguration = operation({
  name: 'GetGameConfiguration',
  http: { method: 'GET', path: '/game/{GameName}/configuration' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), Sections: query(sectionNames) }, ['GameName']),
  output: structure({ GameConfiguration: configurationDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Until it is first written, a game’s configuration is empty and was last updated when the game was created.',
    'Names in `Sections` that do not exist are left out of the reply; without `Sections` it contains all sections, with their attributes.',
    '`Size` is the size of the attributes in bytes, as compact JSON in UTF-8.',
    'Calls that read or change a configuration of more than 16 KiB, or a snapshot of one, are answered one after the other for each game. When 16 of a game, or 64 in all, are under way, one more is a `ThrottlingException`.',
  ],
  async handler({ input, services }) {
    return { GameConfiguration: toDetails(await services.configurations.get(input.GameName, input.Sections)) };
  },
});

export const updateGameConfiguration = operation({
  name: 'UpdateGameConfiguration',
  http: { method: 'PATCH', path: '/game/{GameName}/configuration' },
  isIdempotent: true,
  throttleClass: 'write',
  maxBodyBytes: MAX_UPDATE_BODY_BYTES,
  input: structure({ GameName: label(gameName), Modifications: list(modification, { min: 1, max: 100 }) }, [
    'GameName',
    'Modifications',
  ]),
  output: structure({ GameConfiguration: configurationDetails }),
  errors: [...COMMON_ERRORS, 'not_found', 'quota_exceeded'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'The modifications are applied in order, all of them or none. An error names the first that cannot be applied, counting from 1: `modifications.3.member`.',
    '`Path` is a JSON Pointer (RFC 6901) into the attributes of the section: `~0` stands for `~` and `~1` for `/`; any other `~` is an error.',
    '`ADD` sets a member of an object, whether it exists or not, or inserts an item into an array (`-` appends); the object or array itself must exist. What `REPLACE` and `REMOVE` name must exist (RFC 6902).',
    '`ADD` to a section that does not exist creates the section first, as an empty object.',
    '`ADD` and `REPLACE` need a `Value`; `REMOVE` must have none. A JSON null is a value, but the AWS SDK for JavaScript does not send it; import a file to set one.',
    'Faults in what the configuration means, such as an unknown shape, are accepted as work in progress; a deployment fails because of them. Attributes nested more than 64 levels deep are refused.',
    'Unknown sections are kept unchanged. Numbers have the precision of a double, and keys such as `__proto__` are ordinary data.',
    'If the configuration, exported as compact JSON, would be larger than `RESPARK_MAX_CONFIGURATION_BYTES`, the call is a `ServiceQuotaExceededException`.',
    `The request body may be up to ${grouped(MAX_UPDATE_BODY_BYTES)} bytes long.`,
    'The audit record has the names of the sections in its `Details`, and in `modificationsDigest` a SHA-256, which is the same for the same modifications.',
  ],
  async handler({ input, services, change }) {
    const modifications = input.Modifications.map((modification) => ({
      section: modification.Section,
      operation: modification.Operation as 'ADD' | 'REMOVE' | 'REPLACE',
      path: modification.Path,
      value: modification.Value,
    }));
    return {
      GameConfiguration: toDetails(await services.configurations.update(input.GameName, modifications, change)),
    };
  },
});

export const importGameConfiguration = operation({
  name: 'ImportGameConfiguration',
  http: { method: 'PUT', path: '/game/{GameName}/configuration' },
  isIdempotent: true,
  throttleClass: 'write',
  maxBodyBytes: MAX_IMPORT_BODY_BYTES,
  input: structure(
    {
      GameName: label(gameName),
      ImportSource: structure({ File: blob({ min: 10, max: 1_024_000 }) }, ['File']),
    },
    ['GameName', 'ImportSource'],
  ),
  output: structure({ GameConfiguration: configurationDetails }),
  errors: [...COMMON_ERRORS, 'not_found', 'quota_exceeded'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'The file is UTF-8 JSON in the form that an export has, `{"Document":{"Type":"Game","Sections":{NAME: ATTRIBUTES}}}`, where attributes are objects. It replaces the whole configuration. If an object has a key twice, the last value counts.',
    'Faults in what the configuration means do not prevent an import; a deployment fails because of them. Attributes nested more than 64 levels deep are refused.',
    'If the configuration, exported as compact JSON, is larger than `RESPARK_MAX_CONFIGURATION_BYTES`, the call is a `ServiceQuotaExceededException`.',
    'The AWS CLI 2 takes the file in base64: `--import-source "File=$(base64 -w0 game.json)"`, where Linux takes at most 128 KiB in base64; `respark import` takes any. A file that is encoded twice is refused, with a hint.',
    '`fileDigest` in the `Details` of the audit record is the SHA-256 of the file.',
    `The base64 text must be padded and contain no other characters. The request body may be up to ${grouped(MAX_IMPORT_BODY_BYTES)} bytes long.`,
  ],
  async handler({ input, services, change }) {
    const { GameName, ImportSource } = input;
    return { GameConfiguration: toDetails(await services.configurations.import(GameName, ImportSource.File, change)) };
  },
});

function toDetails({ createdAt, updatedAt, sections }: Configuration) {
  return { Created: createdAt, LastUpdated: updatedAt, Sections: new PreparedJson(sections) };
}
