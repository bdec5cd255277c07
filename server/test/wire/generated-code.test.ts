import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Notification, RequestError, ResparkClient } from '@respark/client';
import { generateFiles } from '../../src/domain/generated-code/generate-code.ts';
import { chooseGenerator } from '../../src/domain/generated-code/generators.ts';
import { compileTypeScript, sampleModel } from '../support/generated-code.ts';
import { assertNothingLeft, startTestServer, until } from '../support/server.ts';

/** A game in TypeScript; what is wrong in it, the compiler must say. */
const GAME = `
  import type { ResparkClient } from '@respark/client';
  import { requestGetPlayerToken } from './IdentityOperations.ts';
  import { type Message, type Mode, ModeValues, onChat, requestFindMatch, sendMoved } from './SampleOperations.ts';

  export async function token(client: ResparkClient): Promise<string> {
    const { AuthenticationToken } = await requestGetPlayerToken(client);
    return AuthenticationToken;
  }

  export async function findMatch(client: ResparkClient): Promise<string> {
    const { Opponents, Scores, Extra } = await requestFindMatch(client, { Mode: 'free-for-all' }, { timeoutMs: 5_000 });
    const rating: number | undefined = Opponents[0]?.Rating;
    const best: number | undefined = Scores['best'];
    return JSON.stringify([rating, best, Extra]);
  }

  export function move(client: ResparkClient): void {
    sendMoved(client, { class: 'knight', x: 1 });
  }

  export function chat(client: ResparkClient, listener: (message: Message) => void): () => void {
    return onChat(client, listener);
  }

  export const modes: readonly Mode[] = ModeValues;

  export async function mistakes(client: ResparkClient): Promise<void> {
    // @ts-expect-error: no such mode
    await requestFindMatch(client, { Mode: 'trio' });
    // @ts-expect-error: no mode
    await requestFindMatch(client, {});
    // @ts-expect-error: no such field
    await requestGetPlayerToken(client, { Name: 'ada' });
    // @ts-expect-error: x is a number
    sendMoved(client, { class: 'knight', x: '1' });
    // @ts-expect-error: not for players
    await import('./SampleOperations.ts').then((sample) => sample.requestSettle);
  }
`;

interface GameModule {
  token(client: ResparkClient): Promise<string>;
  findMatch(client: ResparkClient): Promise<string>;
  move(client: ResparkClient): void;
  chat(client: Pick<ResparkClient, 'on'>, listener: (message: unknown) => void): () => void;
  readonly modes: readonly string[];
}

async function compileGame(t: TestContext): Promise<{ readonly said: string; readonly game: GameModule }> {
  const generator = chooseGenerator({ targetPlatform: 'Web' });
  const files = generateFiles({ gameName: 'Sample', model: sampleModel, generator });
  const { said, compiled } = await compileTypeScript(t, [...files, { name: 'game.ts', text: GAME }]);
  return { said, game: await import(compiled('game.js')) };
}

test('[ws] a game in TypeScript plays through the generated code', async (t) => {
  const { said, game } = await compileGame(t);
  assert.equal(said, '');
  assert.deepEqual(game.modes, ['duel', 'free-for-all', '2v2', 'class']);

  const server = await startTestServer(t);
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey });
  t.after(() => client.close());
  const { mock: requests } = t.mock.method(client, 'request');
  const { mock: events } = t.mock.method(client, 'event');
  const errors: Error[] = [];
  client.on('error', (error) => errors.push(error));
  await client.connect();

  const other = await server.connect({ token: await game.token(client) });
  assert.equal(other.playerId, client.playerId);

  await assert.rejects(game.findMatch(client), (error) => {
    assert(error instanceof RequestError);
    assert.equal(error.code, 'no_handler');
    assert.match(error.message, /"Custom\.Game\.FindMatch"/);
    return true;
  });
  game.move(client);
  await until(() => errors.length > 0);
  assert.match(errors[0]?.message ?? '', /"Custom\.Game\.Moved"/);
  assert.deepEqual(
    [...requests.calls, ...events.calls].map((call) => call.arguments),
    [
      ['GameSparks.Identity.GetPlayerToken', {}, {}],
      ['Custom.Game.FindMatch', { Mode: 'free-for-all' }, { timeoutMs: 5_000 }],
      ['Custom.Game.Moved', { class: 'knight', x: 1 }],
    ],
  );

  other.ws.close();
  await client.close();
  await assertNothingLeft(server);
});

test('a listener of generated code hears the notifications of its type until it ends that', async (t) => {
  const { game } = await compileGame(t);
  let notify: (notification: Notification) => void = () => {};
  const client: Pick<ResparkClient, 'on'> = {
    on: (name, listener) => {
      assert.equal(name, 'notification');
      notify = listener as typeof notify;
      return () => {
        notify = () => {};
      };
    },
  };
  const heard: unknown[] = [];
  const end = game.chat(client, (message) => heard.push(message));
  notify({ type: 'Custom.Game.Chat', payload: { Message: 'hello' } });
  notify({ type: 'Custom.Game.Other', payload: { Message: 'not for it' } });
  end();
  notify({ type: 'Custom.Game.Chat', payload: { Message: 'too late' } });
  assert.deepEqual(heard, [{ Message: 'hello' }]);
});
