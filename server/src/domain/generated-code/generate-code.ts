import type { GameModel } from '../configuration/model.ts';
import { zipOf } from './archive.ts';
import { gameMessages, identityMessages, type SourceFile } from './game-messages.ts';
import type { CodeGenerator } from './generators.ts';

export interface CodeRequest {
  readonly gameName: string;
  readonly model: GameModel;
  readonly generator: CodeGenerator;
}

/** The zip of a game's generated code; the same request makes the same bytes. */
export function generateCode(request: CodeRequest): Uint8Array {
  return zipOf(generateFiles(request));
}

export function generateFiles({ gameName, model, generator }: CodeRequest): readonly SourceFile[] {
  const game = gameMessages(gameName, model);
  return [
    ...generator.files(game),
    ...generator.files(identityMessages()),
    { name: 'README.txt', text: generator.readme(game) },
  ];
}
