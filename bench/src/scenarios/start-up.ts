import { CONTESTANTS, type Contestant } from '../contestants.ts';
import { type Scenario, UNGUARDED } from './scenario.ts';

export const startUpScenario: Scenario = {
  title: 'Start-up',
  description: 'from the start of the process until it reports that it serves; Respark with an empty data directory',
  kinds: UNGUARDED,
  isOnEveryNode: false,
  async run({ contestant, node }) {
    const { start }: Contestant = CONTESTANTS[contestant];
    const server = await start(node);
    await server.stop();
    return { 'until it serves, ms': server.startedInMs };
  },
};
