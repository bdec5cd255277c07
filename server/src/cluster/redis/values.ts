import type { DirectoryEntry } from '../cluster.ts';

/** The fields of a hash and their values, as scripts reply with them. */
export function pairsOf(texts: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < texts.length; at += 2) pairs.push([texts[at] ?? '', texts[at + 1] ?? '']);
  return pairs;
}

/** How the directory keeps an entry, under its connection id. Scripts read the node. */
export function encodeEntry({ node, createdAt, runtimeId }: DirectoryEntry): string {
  return `${node}|${createdAt}|${runtimeId}`;
}

export function decodeEntry(connectionId: string, value: string): DirectoryEntry {
  const [node = '', createdAt = '', runtimeId = ''] = value.split('|');
  return { connectionId, node, createdAt: Number(createdAt), runtimeId };
}
