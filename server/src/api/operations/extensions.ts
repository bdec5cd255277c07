import type { Extension, ExtensionVersion } from '../../domain/extensions.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, list, query, string, structure } from '../shape.ts';
import { description, maxResults, NAME_PATTERN, nextToken } from './shapes.ts';

const namespace = string({ min: 1, max: 36, pattern: NAME_PATTERN });
const extensionName = string({ min: 1, max: 36, pattern: NAME_PATTERN });
// The model allows an empty version; no extension has one, so it is not found.
const version = string({ min: 0, max: 20 });

const extensionDetails = structure({ Description: description, Name: extensionName, Namespace: namespace });
const versionDetails = structure({
  Name: extensionName,
  Namespace: namespace,
  Schema: string({ min: 0, max: 2048 }),
  Version: version,
});

export const listExtensions = operation({
  name: 'ListExtensions',
  http: { method: 'GET', path: '/extension' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ MaxResults: query(maxResults), NextToken: query(nextToken) }),
  output: structure({ Extensions: list(extensionDetails), NextToken: nextToken }),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'The extensions are `GameSparks/Core` and `GameSparks/Identity`. `Custom/Game`, the name under which clients send the messages of a game, is not listed, because its content differs from game to game.',
  ],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.extensions.list(request);
    return { Extensions: page.items.map(toDetails), NextToken: page.nextToken };
  },
});

export const getExtension = operation({
  name: 'GetExtension',
  http: { method: 'GET', path: '/extension/{Namespace}/{Name}' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ Name: label(extensionName), Namespace: label(namespace) }, ['Name', 'Namespace']),
  output: structure({ Extension: extensionDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  decisions: ['Names are case-sensitive.'],
  async handler({ input, services }) {
    return { Extension: toDetails(services.extensions.get(input.Namespace, input.Name)) };
  },
});

export const listExtensionVersions = operation({
  name: 'ListExtensionVersions',
  http: { method: 'GET', path: '/extension/{Namespace}/{Name}/version' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure(
    {
      MaxResults: query(maxResults),
      Name: label(extensionName),
      Namespace: label(namespace),
      NextToken: query(nextToken),
    },
    ['Name', 'Namespace'],
  ),
  output: structure({ ExtensionVersions: list(versionDetails), NextToken: nextToken }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  decisions: ['Each extension has one version so far: `1.0.0`.'],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.extensions.versions(input.Namespace, input.Name, request);
    return { ExtensionVersions: page.items.map(toVersionDetails), NextToken: page.nextToken };
  },
});

export const getExtensionVersion = operation({
  name: 'GetExtensionVersion',
  http: { method: 'GET', path: '/extension/{Namespace}/{Name}/version/{ExtensionVersion}' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ ExtensionVersion: label(version), Name: label(extensionName), Namespace: label(namespace) }, [
    'ExtensionVersion',
    'Name',
    'Namespace',
  ]),
  output: structure({ ExtensionVersion: versionDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  decisions: [
    '`Schema` is the JSON Schema, at most 2,048 characters long, against which a deployment checks the sections that the extension owns.',
  ],
  async handler({ input, services }) {
    const { Namespace, Name, ExtensionVersion } = input;
    return { ExtensionVersion: toVersionDetails(services.extensions.version(Namespace, Name, ExtensionVersion)) };
  },
});

function toDetails({ namespace, name, description }: Extension) {
  return { Namespace: namespace, Name: name, Description: description };
}

function toVersionDetails({ namespace, name, version, schema }: ExtensionVersion) {
  return { Namespace: namespace, Name: name, Version: version, Schema: schema };
}
