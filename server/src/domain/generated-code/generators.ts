import { ServiceError } from '../../errors.ts';
import { csharpFiles, csharpReadme } from './csharp.ts';
import type { GameMessages, SourceFile } from './game-messages.ts';
import { typescriptFile, typescriptReadme } from './typescript.ts';

/** The code that a caller asks for; absent members have a default. */
export interface Generator {
  readonly targetPlatform?: string | undefined;
  readonly language?: string | undefined;
  readonly gameSdkVersion?: string | undefined;
}

export interface CodeGenerator {
  readonly targetPlatform: string;
  readonly language: string;
  readonly gameSdkVersion: string;
  /** The first one is named as the messages are. */
  readonly files: (messages: GameMessages) => readonly SourceFile[];
  /** How to use the files, as text whose last line ends with a newline. */
  readonly readme: (messages: GameMessages) => string;
}

/**
 * The first one for a platform has its default language; the first of all has the default platform. Newest come first.
 */
const GENERATORS: readonly CodeGenerator[] = [
  { targetPlatform: 'Unity', language: 'CSharp', gameSdkVersion: '1.0.0', files: csharpFiles, readme: csharpReadme },
  {
    targetPlatform: 'Web',
    language: 'TypeScript',
    gameSdkVersion: '1.0.0',
    files: (messages) => [typescriptFile(messages)],
    readme: typescriptReadme,
  },
];

/** Ignores the case of letters. Throws `validation`, which lists the choices. */
export function chooseGenerator({
  targetPlatform = GENERATORS[0]?.targetPlatform,
  language,
  gameSdkVersion = 'LATEST',
}: Generator): CodeGenerator {
  const chosen = GENERATORS.find(
    (generator) =>
      isSame(generator.targetPlatform, targetPlatform) &&
      (language === undefined || isSame(generator.language, language)) &&
      (isSame('LATEST', gameSdkVersion) || generator.gameSdkVersion === gameSdkVersion),
  );
  if (chosen !== undefined) return chosen;
  const asked = [targetPlatform, language, gameSdkVersion].filter((part) => part !== undefined).join(', ');
  const there = GENERATORS.map(
    (generator) => `${generator.targetPlatform}, ${generator.language}, ${versions(generator)}`,
  );
  throw new ServiceError(
    'validation',
    `no code can be generated for ${asked}; use (TargetPlatform, Language, GameSdkVersion): ${there.join('; ')}`,
  );
}

function versions({ gameSdkVersion }: CodeGenerator): string {
  return `LATEST or ${gameSdkVersion}`;
}

function isSame(a: string, b: string | undefined): boolean {
  return a.toLowerCase() === b?.toLowerCase();
}
