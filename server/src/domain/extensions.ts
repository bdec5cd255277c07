import { ServiceError } from '../errors.ts';
import { CORE_SCHEMA, IDENTITY_SCHEMA } from './configuration/schemas.ts';
import type { Page, PageRequest, Paginate } from './pagination.ts';

export interface Extension {
  readonly namespace: string;
  readonly name: string;
  readonly description: string;
}

export interface ExtensionVersion {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** JSON Schema with which the extension's sections are checked, at most 2,048 characters. */
  readonly schema: string;
}

/** The extensions that this server offers. */
export interface Extensions {
  list(request: PageRequest): Promise<Page<Extension>>;
  /** Throws `not_found`, as do the methods below. */
  get(namespace: string, name: string): Extension;
  versions(namespace: string, name: string, request: PageRequest): Promise<Page<ExtensionVersion>>;
  version(namespace: string, name: string, version: string): ExtensionVersion;
}

interface Offered extends Extension {
  /** Version → schema. */
  readonly schemas: Readonly<Record<string, string>>;
}

const EXTENSIONS: readonly Offered[] = [
  {
    namespace: 'GameSparks',
    name: 'Core',
    description: 'Messages of a game, the shapes they are made of, and the cloud code that handles them.',
    schemas: { '1.0.0': CORE_SCHEMA },
  },
  {
    namespace: 'GameSparks',
    name: 'Identity',
    description: 'Identity of players: the token with which a player comes back on another connection.',
    schemas: { '1.0.0': IDENTITY_SCHEMA },
  },
];

export function createExtensions({ paginate }: { readonly paginate: Paginate }): Extensions {
  return {
    async list(request) {
      // Positions are names: no two namespaces have an extension of the same name.
      const page = await paginate('ListExtensions', request, async ({ after = '', limit }) =>
        EXTENSIONS.filter(({ name }) => name > after).slice(0, limit),
      );
      return { ...page, items: page.items.map(withoutSchemas) };
    },

    get: (namespace, name) => withoutSchemas(getOffered(namespace, name)),

    async versions(namespace, name, request) {
      const { schemas } = getOffered(namespace, name);
      const versions = Object.keys(schemas).sort();
      const page = await paginate(
        `ListExtensionVersions ${namespace}/${name}`,
        request,
        async ({ after = '', limit }) =>
          versions
            .filter((version) => version > after)
            .slice(0, limit)
            .map((version) => ({ name: version, schema: schemas[version] as string })),
      );
      const items = page.items.map(({ name: version, schema }) => ({ namespace, name, version, schema }));
      return { ...page, items };
    },

    version(namespace, name, version) {
      const { schemas } = getOffered(namespace, name);
      if (Object.hasOwn(schemas, version)) return { namespace, name, version, schema: schemas[version] as string };
      throw new ServiceError(
        'not_found',
        `there is no version "${version}" of ${namespace}/${name}: use ${Object.keys(schemas).join(' or ')}`,
      );
    },
  };
}

function withoutSchemas({ namespace, name, description }: Offered): Extension {
  return { namespace, name, description };
}

function getOffered(namespace: string, name: string): Offered {
  const offered = EXTENSIONS.find((extension) => extension.namespace === namespace && extension.name === name);
  if (offered !== undefined) return offered;
  const names = EXTENSIONS.map((extension) => `${extension.namespace}/${extension.name}`).join(' or ');
  throw new ServiceError('not_found', `there is no extension "${namespace}/${name}": use ${names}`);
}
