import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Section } from '@aws-sdk/client-gamesparks';
import { type Json, parseDocument, type Sections } from '../../src/domain/configuration/document.ts';

/** The example: an exported game that uses everything a model can say. */
export const GAME_DOCUMENT: Uint8Array = readFileSync(new URL('../../../../examples/game.json', import.meta.url));

export function gameSections(): Sections {
  return parseDocument(GAME_DOCUMENT);
}

/** An export from the original service; undefined where it is not at hand. */
export function realGameDocument(): Uint8Array | undefined {
  const reference = new URL('../../../../../shared/reference/megafrograce-configuration.json', import.meta.url);
  return existsSync(fileURLToPath(reference)) ? readFileSync(reference) : undefined;
}

/** The file that ImportGameConfiguration takes. */
export function fileOf(sections: Sections): Uint8Array {
  return Buffer.from(JSON.stringify({ Document: { Type: 'Game', Sections: sections } }));
}

/** The attributes of the sections in an answer; fails when the name or size that it gives for one is wrong. */
export function attributesOf(sections: Record<string, Section> = {}): Sections {
  return Object.fromEntries(
    Object.entries(sections).map(([name, { Name, Size, Attributes }]) => {
      assert.deepEqual([Name, Size], [name, Buffer.byteLength(JSON.stringify(Attributes))]);
      return [name, Attributes as Json];
    }),
  );
}
