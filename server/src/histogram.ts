import type { Registry } from 'prom-client';

interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** The upper bound of each bucket, in rising order. */
  readonly buckets: readonly number[];
  readonly registers: readonly Registry[];
}

/**
 * A histogram with at most one label. It takes the place of prom-client's, which checks and hashes the labels of every
 * value, and gives the registry the same text.
 */
export class Histogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #label: string | undefined;
  readonly #bounds: readonly number[];
  /** Value of the label → how many values each bucket has got, the one without a bound last, and their sum. */
  readonly #series = new Map<string, { readonly counts: number[]; sum: number }>();
  /** How many values each bucket had got under labels that were forgotten. */
  readonly #forgotten: number[];

  constructor({ name, help, labelNames, buckets, registers }: HistogramOptions) {
    this.name = name;
    this.help = help;
    this.#label = labelNames[0];
    this.#bounds = buckets;
    this.#forgotten = [...buckets, Number.POSITIVE_INFINITY].map(() => 0);
    if (this.#label === undefined) this.#add('');
    // The declarations of prom-client know its own classes only; its registry asks for no more than these members.
    for (const registry of registers) registry.registerMetric(this as never);
  }

  observe(value: number, labelValue = ''): void {
    const series = this.#series.get(labelValue) ?? this.#add(labelValue);
    let bucket = 0;
    while (value > (this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += value;
  }

  #add(labelValue: string) {
    const series = { counts: [...this.#bounds, Number.POSITIVE_INFINITY].map(() => 0), sum: 0 };
    this.#series.set(labelValue, series);
    return series;
  }

  /** Removes the series of a label, which still counts among the totals. */
  forget(labelValue: string): void {
    addTo(this.#forgotten, this.#series.get(labelValue)?.counts ?? []);
    this.#series.delete(labelValue);
  }

  /** How many values each bucket has got under any label, the one without a bound last. */
  totals(): number[] {
    const sums = [...this.#forgotten];
    for (const { counts } of this.#series.values()) addTo(sums, counts);
    return sums;
  }

  /** Called by the registry at each scrape. */
  async get(): Promise<object> {
    const { name, help, type } = this;
    const values = [...this.#series].flatMap(([labelValue, { counts, sum }]) => {
      const labels = this.#label === undefined ? {} : { [this.#label]: labelValue };
      let count = 0;
      const buckets = counts.map((own, bucket) => {
        count += own;
        return {
          metricName: `${name}_bucket`,
          labels: { le: this.#bounds[bucket] ?? '+Inf', ...labels },
          value: count,
        };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return { name, help, type, values };
  }
}

function addTo(sums: number[], counts: readonly number[]): void {
  for (const [bucket, count] of counts.entries()) sums[bucket] = (sums[bucket] ?? 0) + count;
}
