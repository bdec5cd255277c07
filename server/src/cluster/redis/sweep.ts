import type { EraKeys, PartitionKeys } from './keys.ts';
import type { Script, ScriptReply } from './link.ts';
import * as scripts from './scripts.ts';

type Run = (script: Script, keys: readonly string[], ...parameters: string[]) => Promise<ScriptReply>;

/** How many players are handled in one step, which holds everything else up. */
const PLAYERS_AT_ONCE = 64;

/**
 * Deletes the entries of a dead node and what is left of a former era, if there are any. All nodes may do it at once, and
 * one that is interrupted leaves the rest to the next sweep.
 */
export async function sweep({
  run,
  keys,
  partitionKeys,
  dead,
  former,
}: {
  run: Run;
  keys: EraKeys;
  partitionKeys: PartitionKeys;
  dead: string;
  former: string;
}): Promise<void> {
  if (dead !== '') {
    const index = keys.index(dead);
    const removeEntries = (players: readonly string[]) =>
      run(scripts.SWEEP, [index, ...players.flatMap((player) => keys.entriesOf(player))], dead, ...players);
    await eachSample(run, index, removeEntries);
    await run(scripts.FORGET, [keys.dead], dead);
  }
  if (former === '') return;
  const old = partitionKeys.of(former);
  const [, ...nodes] = await run(scripts.FIELDS, [old.links]);
  for (const node of nodes) {
    const index = old.index(node);
    const removeEntries = (players: readonly string[]) =>
      run(scripts.FORGET, [index, ...players.flatMap((player) => old.entriesOf(player))], ...players);
    await eachSample(run, index, removeEntries);
  }
  await run(scripts.FORGET, [partitionKeys.former, ...old.single], former);
}

/** Handles the members of a set until it is empty: each step makes it smaller. */
async function eachSample(
  run: Run,
  set: string,
  handle: (members: readonly string[]) => Promise<ScriptReply>,
): Promise<void> {
  for (;;) {
    const [status, ...members] = await run(scripts.SAMPLE, [set], String(PLAYERS_AT_ONCE));
    if (status !== 'ok' || members.length === 0) return;
    const [handled] = await handle(members);
    if (handled !== 'ok') return;
  }
}
