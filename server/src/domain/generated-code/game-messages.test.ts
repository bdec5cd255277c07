import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GET_PLAYER_TOKEN } from '@respark/protocol';
import { readModel } from '../configuration/model.ts';
import { gameMessages, identityMessages } from './game-messages.ts';

test('the request of the identity extension is the one that every runtime answers', () => {
  const { typePrefix, requests } = identityMessages();
  assert.deepEqual(
    requests.map(({ name }) => `${typePrefix}${name}`),
    [GET_PLAYER_TOKEN],
  );
});

test('a game’s messages are those that players can use, and what only the backend uses is left out', () => {
  const empty = { Structure: { Fields: {} } };
  const request = (shape: string, ...AllowedSources: string[]) => {
    return { AllowedSources, RequestShape: shape, ResponseShape: shape };
  };
  const model = readModel({
    'GameSparks.Core.Model': { Fish: empty, Pond: empty },
    'GameSparks.Core.Requests': { Restock: request('Pond'), Catch: request('Fish', 'Player') },
  });
  const { typePrefix, requests, shapes } = gameMessages('Demo', model);
  assert.deepEqual(
    requests.map(({ name }) => `${typePrefix}${name}`),
    ['Custom.Game.Catch'],
  );
  assert.deepEqual([...shapes.keys()], ['Fish']);
});
