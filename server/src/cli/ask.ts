import { createInterface } from 'node:readline';
import type { World } from './world.ts';

/** Asks on the terminal, and tells whether the answer was yes. The end of the input is a no. */
export async function saysYes(world: World, question: string): Promise<boolean> {
  world.stderr.write(`${question} [y/N] `);
  // The terminal edits the line itself, so Ctrl-C ends the process as it does anywhere else.
  const lines = createInterface({ input: world.stdin, terminal: false });
  for await (const line of lines) return /^y(es)?$/i.test(line.trim());
  world.stderr.write('\n');
  return false;
}
