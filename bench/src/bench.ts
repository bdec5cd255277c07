import { loadavg } from 'node:os';
import { type MachineFacts, machineFacts, measuredCommit } from './machine.ts';
import type { NodeBinary } from './node-binary.ts';
import type { Measurement, Results } from './results.ts';
import { SCENARIOS, type ScenarioName } from './scenarios/index.ts';
import { entrantsOf, type Scale } from './scenarios/scenario.ts';

/** How many open files a process needs besides its connections. */
const SPARE_FILES = 500;

/**
 * Runs each scenario in rounds. Every contestant has its turn in each round, so that changes over time affect all, and
 * each round begins with another, so that the turns of each are spread over the whole length of a round.
 */
export async function runBench({
  scenarios,
  scale,
  isQuick,
  rounds,
  nodes,
  onProgress,
  onMeasured = () => {},
}: {
  scenarios: readonly ScenarioName[];
  scale: Scale;
  isQuick: boolean;
  rounds: number;
  /** The first one is that of the bench. */
  nodes: readonly NodeBinary[];
  onProgress: (line: string) => void;
  /** Called after each turn with all results so far, so that an interrupted run is not lost. */
  onMeasured?: (results: Results) => void;
}): Promise<Results> {
  const machine = machineFacts();
  assertRoomFor(scale, machine);
  const measurements: Measurement[] = [];
  const date = new Date().toISOString().slice(0, 10);
  const versions = nodes.map(({ version }) => version);
  const results: Results = { commit: measuredCommit(), date, machine, isQuick, rounds, nodes: versions, measurements };
  for (const scenario of scenarios) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const entrant of rotated(entrantsOf(SCENARIOS[scenario], nodes), (round - 1) / rounds)) {
        const { contestant, node } = entrant;
        onProgress(`${scenario}, round ${round} of ${rounds}: ${contestant}, Node.js ${node.version}`);
        const figures = await SCENARIOS[scenario].run(entrant, scale).catch((error: unknown) => {
          throw new Error(`${contestant} on Node.js ${node.version} failed in ${scenario}`, { cause: error });
        });
        measurements.push({ scenario, contestant, node: node.version, round, load: loadavg()[0] ?? 0, figures });
        onMeasured(results);
      }
    }
  }
  return results;
}

/** The same values in the same order, from the one on that lies the given share, below 1, of the way through them. */
function rotated<T>(values: readonly T[], share: number): T[] {
  const start = Math.floor(share * values.length);
  return [...values.slice(start), ...values.slice(0, start)];
}

function assertRoomFor({ connections, idleSizes, growthSizes }: Scale, { maxOpenFiles }: MachineFacts): void {
  const most = Math.max(connections, ...idleSizes, ...growthSizes);
  if (most + SPARE_FILES <= maxOpenFiles) return;
  throw new Error(
    `${most} connections need ${most + SPARE_FILES} open files, but a process may have ${maxOpenFiles}: raise "ulimit -Hn", or use --quick`,
  );
}
