import { CONTESTANTS } from '../contestants.ts';
import { type Scenario, UNGUARDED } from './scenario.ts';

export const startUpScenario: Scenario = {
  title: 'Start-up',
  description: 'from the start of the process until it reports that it serves; Respark with an empty data directory',
  kinds: UNGUARDED,
  isOnEveryNode: false,
  async run({ contestant, node }) {
    const server = await CONTESTANTS[contestant].start(node);
    await server.stop();
    return { 'until it serves, ms': server.startedInMs };
  },
};
