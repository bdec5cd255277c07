import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { readModel } from '../../src/domain/configuration/model.ts';
import type { Running, Workplace } from './process.ts';
import { scriptedGame } from './scripted-game.ts';
import { temporaryDirectory } from './server.ts';
import { compileAssembly, compileCore, findUnityTools, generated } from './unity.ts';

const tools = findUnityTools();

const MESSAGING = 'GameSparks().Messaging()';
/** The game that the program plays. */
export const CSHARP_GAME = scriptedGame({
  requests: {
    Add: {
      request: { X: 'Integer', Y: 'Integer' },
      response: { Sum: 'Integer' },
      script: `return ${MESSAGING}.Response({ Sum: message.X + message.Y });`,
    },
  },
  events: {
    Shout: {
      event: { Text: 'String' },
      script: `${MESSAGING}.SendNotification('Heard', { Text: message.Text.toUpperCase() });`,
    },
  },
  notifications: { Heard: { Text: 'String' } },
});

/** Compiles the program with what is generated for the game. */
export async function compileCSharpPlayer(t: TestContext): Promise<string> {
  assert.ok(tools !== undefined);
  const directory = temporaryDirectory(t);
  return await compileAssembly(tools, directory, {
    name: 'player',
    target: 'exe',
    sources: ['server/test/unity/player/Player.cs', ...generated(directory, 'Game', readModel(CSHARP_GAME))],
    references: [await compileCore(tools, directory)],
  });
}

export interface CSharpPlayer extends Running {
  /** Has it do something, and resolves when it has printed what comes of that. */
  do(line: string, printed: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the next line, of those that nobody has waited for, that matches. */
  next(pattern: RegExp): Promise<RegExpExecArray>;
}

export const placeOf = ({ playerUrl, gameKey }: { playerUrl: string; gameKey: string }) => ({
  url: playerUrl,
  gameKey,
});

/** A whole line, not before a place in the text. */
class LineAfter extends RegExp {
  readonly #from: number;

  constructor({ source }: RegExp, from: number) {
    super(`^(?:${source})$`, 'gm');
    this.#from = from;
  }

  override exec(text: string): RegExpExecArray | null {
    this.lastIndex = this.#from;
    return super.exec(text);
  }
}

/** Starts the program, which connects at once. */
export function startCSharpPlayer(
  workplace: Workplace,
  program: string,
  server: { readonly url: string; readonly gameKey: string },
  { longestWaitMs = 30_000 }: { longestWaitMs?: number } = {},
): CSharpPlayer {
  const tokenFile = join(workplace.directory, 'token');
  const running = workplace.start(
    [tools?.mono ?? '', program, server.url, server.gameKey, tokenFile, `${longestWaitMs}`],
    {
      env: { LC_ALL: 'C.UTF-8' },
    },
  );
  let seen = 0;
  const next = async (pattern: RegExp) => {
    const match = await running.printed(new LineAfter(pattern, seen));
    seen = match.index + match[0].length;
    return match;
  };
  return {
    ...running,
    next,
    async do(line, printed) {
      running.child.stdin.write(`${line}\n`);
      return await next(printed);
    },
  };
}
