import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runBench } from './bench.ts';
import { findMissingBackend } from './cluster/backends.ts';
import { findNodes, OWN_NODE } from './node-binary.ts';
import { report } from './report.ts';
import { SCENARIO_NAMES, SCENARIOS, type ScenarioName } from './scenarios/index.ts';
import { FULL, QUICK, type Scenario } from './scenarios/scenario.ts';

const HELP = `Measures the server and its peers side by side and prints the results. Needs Linux, because it reads /proc.

Usage: npm run bench -- [options]

  --scenario NAMES  run only these, separated by commas: ${SCENARIO_NAMES.join(', ')}
  --rounds NUMBER   how many turns each contestant gets; the tables show medians (default 5)
  --also-node PATH  run the contestants on this Node.js too, in the same rounds; may be given several times
  --quick           small numbers and one round, only to see that it works; takes about six minutes
  --json FILE       also write all measurements to this file
  --help            print this

Scenarios of clusters need redis-server and PostgreSQL (on Debian: apt-get install redis-server postgresql).
Run nothing else at the same time. All scenarios take more than two hours, and each further Node.js more than half an hour.
`;

const HOW_TO_ADD_A_NODE = `Only Node.js ${OWN_NODE.version} is measured. To measure another beside it, for example:
  npm install --prefix /tmp/node-24 node@24
  npm run bench -- --also-node /tmp/node-24/node_modules/.bin/node
`;
const DEFAULT_ROUNDS = 5;

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds must be 1 or more, got "${text}"`);
  return rounds;
}

/** Those that are named; otherwise all that this machine can run. */
async function chooseScenarios(text: string | undefined): Promise<ScenarioName[]> {
  const isOfClusters = (name: ScenarioName) => (SCENARIOS[name] as Scenario).isOfClusters === true;
  const missing = await findMissingBackend();
  if (text === undefined && missing !== undefined) {
    process.stderr.write(`${SCENARIO_NAMES.filter(isOfClusters).join(', ')} left out: ${missing}\n`);
    return SCENARIO_NAMES.filter((name) => !isOfClusters(name));
  }
  const chosen = text === undefined ? SCENARIO_NAMES : parseScenarios(text);
  if (missing !== undefined && chosen.some(isOfClusters)) throw new Error(missing);
  return chosen;
}

function parseScenarios(text: string): ScenarioName[] {
  return text.split(',').map((name) => {
    const known = SCENARIO_NAMES.find((scenario) => scenario === name);
    if (known !== undefined) return known;
    throw new Error(`--scenario must name scenarios (${SCENARIO_NAMES.join(', ')}), got "${name}"`);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      rounds: { type: 'string' },
      'also-node': { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const nodes = findNodes(values['also-node']);
  if (nodes.length === 1) process.stderr.write(HOW_TO_ADD_A_NODE);
  const results = await runBench({
    scenarios: await chooseScenarios(values.scenario),
    scale: values.quick ? QUICK : FULL,
    isQuick: values.quick,
    rounds: values.rounds === undefined ? (values.quick ? 1 : DEFAULT_ROUNDS) : parseRounds(values.rounds),
    nodes,
    onProgress: (line) => void process.stderr.write(`${line}\n`),
    onMeasured(soFar) {
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(soFar, undefined, 2)}\n`);
    },
  });
  process.stdout.write(report(results));
}

main().catch((error: unknown) => {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`${message}${cause instanceof Error ? `: ${cause.message}` : ''}\n`);
  process.exitCode = 1;
});
