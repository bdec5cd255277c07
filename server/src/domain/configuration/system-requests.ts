import { GET_PLAYER_TOKEN } from '@respark/protocol';
import type { Field, Structure } from '../../payload-shapes.ts';
import type { RequestMessage } from './model.ts';

/**
 * The requests that every stage answers by itself. A handler in the configuration that has the type of one of them as
 * its name overrides it.
 */
export const SYSTEM_REQUESTS: readonly RequestMessage[] = [
  {
    name: GET_PLAYER_TOKEN,
    description: 'Gives a player the token to come back with.',
    isFromPlayers: true,
    request: structure('GetPlayerTokenRequest', []),
    response: structure('GetPlayerTokenResponse', ['AuthenticationToken']),
  },
];

/** The fields are required text. */
function structure(name: string, fields: readonly string[]): Structure {
  const text = { type: { kind: 'builtin', name: 'String' }, isRequired: true, description: '' } as const;
  return { kind: 'structure', name, description: '', fields: fields.map((field): Field => ({ name: field, ...text })) };
}
