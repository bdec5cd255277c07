import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Figures, Scenario } from './scenario.ts';

const PROGRAM = new URL('../cloud-code/guest-figures.js', import.meta.url).pathname;

export const guestScenario: Scenario = {
  title: 'Cloud code: the guest',
  description:
    'without a server: the memory of a guest put back after a message, and 22 scripts of about a kilobyte compiled and made ready to be put back',
  kinds: ['respark'],
  isOnEveryNode: true,
  async run({ node }, { restores, loads }) {
    const { stdout } = await promisify(execFile)(node.path, [PROGRAM, String(restores), String(loads)]);
    return JSON.parse(stdout) as Figures;
  },
};
