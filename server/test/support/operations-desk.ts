import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  CreateGameCommand,
  CreateSnapshotCommand,
  CreateStageCommand,
  type GameSparksClient,
  GetStageCommand,
} from '@aws-sdk/client-gamesparks';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { ROLE } from './domain.ts';
import { fileOf } from './game-document.ts';
import { endOfDeployment, importDocument, startDeployment } from './publishing.ts';
import { rawCall } from './raw-call.ts';
import { scriptedGame } from './scripted-game.ts';
import type { TestPlayer } from './server.ts';
import { startReceiver, type WebhookReceiver } from './webhook-receiver.ts';
import { createTestWorld } from './world.ts';

/** A server in the test's process, or a node of a cluster. */
interface Node {
  readonly url: string;
  sdk(): GameSparksClient;
  connect(hello: { readonly gameKey: string; readonly token?: string }): Promise<TestPlayer>;
}

/** How operations are asked for: by signed requests that are written out here, or by the commands of `respark`. */
type Way = 'calls' | 'commands';

export interface DeskParts {
  readonly nodes: readonly Node[];
  readonly way: Way;
  readonly credentials: AccessKeyPair;
  /** A key that may confirm what the other has started. */
  readonly second: AccessKeyPair;
}

type Call = readonly [method: string, path: string, body?: object];

/** A stage of a game of its own, and who looks after it. */
export interface Desk extends DeskParts {
  readonly gameKey: string;
  readonly receiver: WebhookReceiver;
  /** Options of commands about the stage. */
  readonly place: readonly string[];
  /** Paths of calls about the game, and about the stage. */
  readonly game: string;
  readonly stage: string;
  readonly gameName: string;
  /** Asks the next node, so what a call has done is looked for at another one. Gives the reply, or what the command printed. */
  ask(call: Call, command: readonly string[], as?: AccessKeyPair): Promise<unknown>;
  connect(node: number, token?: string): Promise<TestPlayer>;
}

const SCRIPT =
  "GameSparks().CurrentPlayer().SetData({ Greeted: true }); GameSparks().Logging().Info('hello from the script'); return GameSparks().Messaging().Response({});";
const PATIENCE_MS = 30_000;
const PAUSE_MS = 50;

export function asking({ nodes, way, credentials }: DeskParts): Desk['ask'] {
  let turn = 0;
  return async ([method, path, body], command, as = credentials) => {
    const { url = '' } = nodes[turn % nodes.length] ?? {};
    turn += 1;
    if (way === 'calls') {
      const { status, json, message } = await rawCall({ url }, method, path, { body, credentials: as });
      assert.equal(status, 200, `${method} ${path}: ${message}`);
      return json;
    }
    const { accessKeyId, secretAccessKey } = as;
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_ENDPOINT_URL: url };
    const world = createTestWorld({ env });
    const hasJson = command[0] === 'api' || command[0] === 'drain';
    const exitCode = await world.run(...command, ...(hasJson ? [] : ['--json']));
    assert.equal(exitCode, 0, `${command.join(' ')}: ${world.err()}`);
    return read(world.out());
  };
}

/** JSON, or the lines of a command that prints a line for each thing. */
function read(printed: string): unknown {
  try {
    return JSON.parse(printed);
  } catch {
    return printed.split('\n');
  }
}

export async function openDesk(t: TestContext, parts: DeskParts): Promise<Desk> {
  const [first] = parts.nodes as readonly [Node];
  const gameName = `Every-${parts.way}`;
  const named = { GameName: gameName, StageName: 'Dev' };
  await first.sdk().send(new CreateGameCommand({ GameName: gameName }));
  const document = scriptedGame({ requests: { Greet: { script: SCRIPT } }, notifications: { Starts: {} } });
  await importDocument(first, fileOf(document), gameName);
  const { Snapshot } = await first.sdk().send(new CreateSnapshotCommand({ GameName: gameName }));
  await first.sdk().send(new CreateStageCommand({ ...named, Role: ROLE }));
  const { DeploymentId } = await startDeployment(first, { SnapshotId: Snapshot?.Id ?? '', on: named });
  assert.equal((await endOfDeployment(first, DeploymentId, named))?.DeploymentState, 'COMPLETED');
  const { Stage } = await first.sdk().send(new GetStageCommand(named));
  const gameKey = Stage?.GameKey ?? '';
  const game = `/respark/game/${gameName}`;
  return {
    ...{ ...parts, gameKey, gameName, game, stage: `${game}/stage/Dev`, receiver: await startReceiver(t) },
    place: ['--game', gameName, '--stage', 'Dev'],
    ask: asking(parts),
    async connect(node, token) {
      const { connect } = parts.nodes[node % parts.nodes.length] as Node;
      return await connect({ gameKey, ...(token !== undefined && { token }) });
    },
  };
}

/** Looks until it is so, which on other nodes may take a second. What is refused is looked for again. */
export async function eventually<T>(look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look().then(
      (value) => ({ value, isSo: holds(value) }),
      (error: unknown) => ({ error, isSo: false as const }),
    );
    if (seen.isSo) return seen.value;
    if (performance.now() > deadline)
      assert.fail(`not ${holds}: ${'error' in seen ? seen.error : JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export async function isRefused(desk: Desk, code: number, token?: string): Promise<void> {
  for (const node of desk.nodes.keys()) await assert.rejects(desk.connect(node, token), new RegExp(`${code}`));
}
