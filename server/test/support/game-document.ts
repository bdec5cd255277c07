import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseDocument } from '../../src/domain/configuration/document.ts';
import type { Sections } from '../../src/domain/configurations.ts';

/** The example: an exported game that uses everything a model can say. */
export const GAME_DOCUMENT: Uint8Array = readFileSync(new URL('../../../../examples/game.json', import.meta.url));

export function gameSections(): Sections {
  return parseDocument(GAME_DOCUMENT);
}

/** An export that the original service has made; undefined where it is not at hand. */
export function realGameDocument(): Uint8Array | undefined {
  const reference = new URL('../../../../../shared/reference/megafrograce-configuration.json', import.meta.url);
  return existsSync(fileURLToPath(reference)) ? readFileSync(reference) : undefined;
}
