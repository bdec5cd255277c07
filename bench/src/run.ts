import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runBench } from './bench.ts';
import { report } from './report.ts';
import { SCENARIOS, type ScenarioName } from './scenarios/index.ts';
import { FULL, QUICK } from './scenarios/scenario.ts';

const HELP = `Measures the server and its peers side by side and prints the results. Needs Linux, because it reads /proc.

Usage: npm run bench -- [options]

  --scenario NAMES  run only these, separated by commas: ${Object.keys(SCENARIOS).join(', ')}
  --rounds NUMBER   how many turns each contestant gets; the tables show medians (default 5)
  --quick           small numbers and one round, only to see that it works; takes less than a minute
  --json FILE       also write all measurements to this file
  --help            print this

Run nothing else at the same time. All scenarios take about an hour.
`;

const DEFAULT_ROUNDS = 5;

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`--rounds must be 1 or more, got "${text}"`);
  return rounds;
}

function parseScenarios(text: string): ScenarioName[] {
  return text.split(',').map((name) => {
    if (Object.hasOwn(SCENARIOS, name)) return name as ScenarioName;
    throw new Error(`--scenario must name scenarios (${Object.keys(SCENARIOS).join(', ')}), got "${name}"`);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const results = await runBench({
    scenarios: parseScenarios(values.scenario),
    scale: values.quick ? QUICK : FULL,
    isQuick: values.quick,
    rounds: values.rounds === undefined ? (values.quick ? 1 : DEFAULT_ROUNDS) : parseRounds(values.rounds),
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
