import type { Configuration } from '../../domain/configurations.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { blob, document, label, list, query, string, structure } from '../shape.ts';
import { gameResource, gameTags } from './resources.ts';
import { dateTime, gameName, sectionDetails, sectionName, sectionNames, sections } from './shapes.ts';

/** 1,024,000 bytes as base64, with room for escaped slashes and for what is around it. */
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
    'A game to which nothing was written has an empty configuration, last updated when the game was created.',
    '`Sections` that name nothing are left out of the answer; without `Sections` it has all of them, with their attributes.',
    '`Size` counts the bytes of the attributes as compact JSON in UTF-8.',
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
    'The modifications are made in order, all or none; an error names the first that cannot be made, counted from 1: `modifications.3.member`.',
    '`Path` is a JSON Pointer (RFC 6901) into the attributes of the section: `~0` stands for `~` and `~1` for `/`, any other `~` is an error.',
    '`ADD` sets a member of an object whether it is there or not, or inserts into an array (`-` appends); what is to hold it must be there. `REPLACE` and `REMOVE` need what they name (RFC 6902).',
    '`ADD` to a section that there is not makes it first, as an empty object.',
    '`ADD` and `REPLACE` need a `Value`, `REMOVE` must have none. A JSON null is a value; the AWS SDK for JavaScript does not send it, so import a file to set one.',
    'Faults of meaning, such as an unknown shape, are kept as work in progress; a deployment fails on them. Attributes that nest deeper than 64 levels are refused.',
    'Unknown sections are kept as they are. Numbers have the precision of a double, and keys such as `__proto__` are data.',
    'A configuration that would be larger than `RESPARK_MAX_CONFIGURATION_BYTES`, as exported and compact, is a `ServiceQuotaExceededException`.',
    `A body may have ${MAX_UPDATE_BODY_BYTES.toLocaleString('en')} bytes.`,
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
    'The file is UTF-8 JSON of the form `{"Document":{"Type":"Game","Sections":{NAME: ATTRIBUTES}}}`, as an export has it; attributes are objects. It replaces the whole configuration. Of a key that an object has twice, the last one counts.',
    'Faults of meaning do not refuse an import; a deployment fails on them. Attributes that nest deeper than 64 levels are refused.',
    'A configuration larger than `RESPARK_MAX_CONFIGURATION_BYTES`, as exported and compact, is a `ServiceQuotaExceededException`.',
    `The base64 text must be padded and have nothing else in it; a body may have ${MAX_IMPORT_BODY_BYTES.toLocaleString('en')} bytes.`,
  ],
  async handler({ input, services, change }) {
    const { GameName, ImportSource } = input;
    return { GameConfiguration: toDetails(await services.configurations.import(GameName, ImportSource.File, change)) };
  },
});

function toDetails({ createdAt, updatedAt, sections }: Configuration) {
  return { Created: createdAt, LastUpdated: updatedAt, Sections: sectionDetails(sections) };
}
