import { checkBar } from './bar.ts';
import { CONTESTANT_NAMES, CONTESTANTS, type Kind } from './contestants.ts';
import { Medians, type Results } from './results.ts';
import { SCENARIO_NAMES, SCENARIOS, type ScenarioName } from './scenarios/index.ts';
import { quantile } from './statistics.ts';

const NOTES = `CPU is that of the whole server process. Where the generator used more than 0.8 of its core, the rate beside it is the
limit of the generator and not of the server: compare the CPU instead. At a fixed rate the generator spins until each call
is due, so its CPU says nothing there; what counts is how late its calls were. Beside cloud code it does not spin, and its
messages count from when they are sent.`;

const BAR =
  'How many times as much as the floor Respark may take; where a row names something else, as that, or a figure of its own where it names a unit.';

/** The report of a run: its facts and its tables, in Markdown. */
export function report(results: Results): string {
  const { machine, rounds, commit } = results;
  const loads = results.measurements.map(({ load }) => load);
  const facts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node.js ${results.nodes.join(' and ')}`,
    `commit ${commit}, medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`,
    machine.isPinned ? 'server and load generator on one core each' : 'server and load generator share their cores',
    `load before ${machine.loadAtStart.toFixed(1)}, during ${quantile(loads, 0).toFixed(1)} to ${quantile(loads, 1).toFixed(1)} (1 to 2 without other work on the machine)`,
  ];
  const tables = SCENARIO_NAMES.filter((name) => results.measurements.some(({ scenario }) => scenario === name)).map(
    (name) => {
      const { title, description } = SCENARIOS[name];
      return `## ${title}\n\n${description[0]?.toUpperCase()}${description.slice(1)}.\n\n${tableOf(results, name)}`;
    },
  );
  return [`${facts.join('; ')}.`, NOTES, ...tables, `## The bar\n\n${BAR}\n\n${barOf(results)}`, ''].join('\n\n');
}

/** What Respark's figures are divided by in the last columns. */
const BASES: readonly { kind: Kind; title: string; of(medians: Medians, figure: string): number | undefined }[] = [
  { kind: 'floor', title: 'floor', of: (medians, figure) => medians.of('floor', figure) },
  { kind: 'peer', title: 'better peer', of: (medians, figure) => medians.ofBest('peer', figure) },
  { kind: 'fresh', title: 'engine for each message', of: (medians, figure) => medians.ofBest('fresh', figure) },
  { kind: 'guarded', title: 'better guarded peer', of: (medians, figure) => medians.ofBest('guarded', figure) },
];

function tableOf(results: Results, scenario: ScenarioName): string {
  const onNodes = results.nodes.map((node) => ({ node, medians: new Medians(results, scenario, node) }));
  const contestants = CONTESTANT_NAMES.filter((name) => onNodes.some(({ medians }) => medians.has(name)));
  const bases = BASES.filter(({ kind }) => contestants.some((name) => CONTESTANTS[name].kind === kind));
  const rowOf = (figure: string, { node, medians }: (typeof onNodes)[number]) => {
    const ours = medians.of('respark', figure);
    const isOfServer = !figure.includes('generator');
    const ratios = bases.map(({ of }) => {
      const base = of(medians, figure);
      return isOfServer && ours !== undefined && base !== undefined && base > 0 ? `${(ours / base).toFixed(2)}x` : '';
    });
    return [onNode(figure, node, results), ...contestants.map((name) => shown(medians.of(name, figure))), ...ratios];
  };
  const figures = new Set(onNodes.flatMap(({ medians }) => medians.figures));
  const rows = [...figures].flatMap((figure) =>
    onNodes.filter(({ medians }) => medians.figures.includes(figure)).map((each) => rowOf(figure, each)),
  );
  const titles = contestants.map((name) => CONTESTANTS[name].title);
  return markdownTable(['', ...titles, ...bases.map(({ title }) => `Respark / ${title}`)], rows);
}

function barOf(results: Results): string {
  const rows = results.nodes.flatMap((node) =>
    checkBar(results, node)
      .filter(({ value }) => value !== undefined)
      .map(({ promise, value = Number.NaN, limit, isLeast = false }) => [
        onNode(promise, node, results),
        shown(value),
        `${isLeast ? '≥' : '≤'} ${limit.toLocaleString('en')}`,
        (isLeast ? value >= limit : value <= limit) ? 'met' : 'MISSED',
      ]),
  );
  return markdownTable(['', 'measured', 'promised', ''], rows);
}

/** Names the Node.js of a row, unless it is that of all rows. */
function onNode(label: string, node: string, { nodes }: Results): string {
  return nodes.length === 1 ? label : `${label}, Node.js ${node}`;
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function shown(value: number | undefined): string {
  if (value === undefined) return '';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
