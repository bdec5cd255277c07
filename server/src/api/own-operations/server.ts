import { FEATURES } from '../../domain/server-info.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { list, string, structure } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const text = string({ min: 1, max: 128 });

const described = Object.entries<{ readonly operations: readonly string[]; readonly means?: string }>(FEATURES).map(
  ([name, { operations, means = [] }]) => `\`${name}\` (${[...operations].concat(means).join(', ')})`,
);

export const getServerInfo = ownOperation({
  name: 'GetServerInfo',
  http: { method: 'GET', path: '/respark/server' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({}),
  output: structure(
    { ApiVersion: text, Features: list(text), Node: text, PlayerUrl: string({ min: 1, max: 2_048 }), Version: text },
    ['ApiVersion', 'Features', 'Node', 'Version'],
  ),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    '`Version` is the version of Respark and `ApiVersion` that of the Amazon GameSparks API. `Node` identifies the process that answers, and is different after each start.',
    '`Features` names what this server can do beyond that API, so that a client need not guess it from the version. A name keeps its meaning in later versions.',
    `They are ${described.join(', ')}.`,
    '`PlayerUrl` is what `RESPARK_PLAYER_URL` says; clients add `/connect` to one without a path, as the SDKs do. It is left out without that setting: players then connect where the API is, at `/connect`, unless `player-listener` is among the features.',
  ],
  async handler({ services }) {
    const { version, apiVersion, node, features, playerUrl } = services.serverInfo();
    return { ApiVersion: apiVersion, Features: features, Node: node, PlayerUrl: playerUrl, Version: version };
  },
});
