import { checkBar } from './bar.ts';
import { CONTESTANTS } from './contestants.ts';
import { Medians, type Results } from './results.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { quantile } from './statistics.ts';

const NOTES = `CPU is that of the whole server process. Where the generator used more than 0.8 of its core, the rate beside it is the
limit of the generator and not of the server: compare the CPU instead. At a fixed rate the generator spins until each call
is due, so its CPU says nothing there; what counts is how late its calls were.`;

const BAR = 'How many times as much as the floor Respark may take; where a peer is named, as that peer.';

/** The report of a run: its facts and its tables, in Markdown. */
export function report(results: Results): string {
  const { machine, rounds, commit } = results;
  const loads = results.measurements.map(({ load }) => load);
  const facts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node.js ${machine.node}`,
    `commit ${commit}, medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`,
    machine.isPinned ? 'server and load generator on one core each' : 'server and load generator share their cores',
    `load before ${machine.loadAtStart.toFixed(1)}, during ${quantile(loads, 0).toFixed(1)} to ${quantile(loads, 1).toFixed(1)} (1 to 2 without other work on the machine)`,
  ];
  const tables = Object.entries(SCENARIOS)
    .filter(([name]) => results.measurements.some(({ scenario }) => scenario === name))
    .map(([name, scenario]) => {
      const { title, description } = scenario;
      return `## ${title}\n\n${description[0]?.toUpperCase()}${description.slice(1)}.\n\n${tableOf(new Medians(results, name))}`;
    });
  return [`${facts.join('; ')}.`, NOTES, ...tables, `## The bar\n\n${BAR}\n\n${barOf(results)}`, ''].join('\n\n');
}

function tableOf(medians: Medians): string {
  const { contestants } = medians;
  const bases = [
    { title: 'floor', of: (figure: string) => medians.of('floor', figure) },
    { title: 'better peer', of: (figure: string) => medians.ofBest('peer', figure) },
    ...(contestants.some((name) => CONTESTANTS[name].kind === 'guarded')
      ? [{ title: 'better guarded peer', of: (figure: string) => medians.ofBest('guarded', figure) }]
      : []),
  ];
  const rows = medians.figures.map((figure) => {
    const ours = medians.of('respark', figure);
    const isOfServer = !figure.includes('generator');
    const ratios = bases.map(({ of }) => {
      const base = of(figure);
      return isOfServer && ours !== undefined && base !== undefined ? `${(ours / base).toFixed(2)}x` : '';
    });
    return [figure, ...contestants.map((name) => shown(medians.of(name, figure))), ...ratios];
  });
  const titles = contestants.map((name) => CONTESTANTS[name].title);
  return markdownTable(['', ...titles, ...bases.map(({ title }) => `Respark / ${title}`)], rows);
}

function barOf(results: Results): string {
  const rows = checkBar(results)
    .filter(({ value }) => value !== undefined)
    .map(({ promise, value = Number.NaN, limit }) => [
      promise,
      value.toFixed(2),
      `≤ ${limit}`,
      value <= limit ? 'met' : 'MISSED',
    ]);
  return markdownTable(['', 'measured', 'promised', ''], rows);
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
