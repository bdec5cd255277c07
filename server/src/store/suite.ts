import type { TestContext } from 'node:test';

/** Takes one promise of a contract, as a sentence, and the check that it is kept. `test` of node:test will do. */
export type Register = (title: string, check: (t: TestContext) => Promise<void>) => void;

/** Runs a suite without reporting its tests, and gives the titles of those that fail. */
export async function failuresOf(suite: (register: Register) => void, t: TestContext): Promise<string[]> {
  const checks = new Map<string, (t: TestContext) => Promise<void>>();
  suite((title, check) => checks.set(title, check));
  const failures: string[] = [];
  for (const [title, check] of checks) await check(t).catch(() => failures.push(title));
  return failures;
}
