import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram as PromHistogram, Registry } from 'prom-client';
import { Histogram } from './histogram.ts';

const OPTIONS = { name: 'wait_seconds', help: 'How long "it"\ntook.', buckets: [0.0005, 0.5, 2, 10] };
const VALUES = [0, 0.0005, 0.00051, 0.1, 0.2, 0.5, 2, 3.3, 10, 10.1, 1e9];

/** The text of a registry with a histogram of each kind, which `observe` fills. */
async function texts(labelNames: string[], observe: (take: (value: number, label: string) => void) => void) {
  const [own, proms] = [new Registry(), new Registry()];
  const histogram = new Histogram({ ...OPTIONS, labelNames, registers: [own] });
  const promHistogram = new PromHistogram({ ...OPTIONS, labelNames, registers: [proms] });
  const [name] = labelNames;
  observe((value, label) => {
    if (name === undefined) histogram.observe(value);
    else histogram.observe(value, label);
    promHistogram.observe(name === undefined ? {} : { [name]: label }, value);
  });
  return { own: await own.metrics(), proms: await proms.metrics() };
}

for (const labelNames of [[], ['operation']]) {
  const title = labelNames.length === 0 ? 'without a label' : 'with a label';
  test(`a histogram ${title} has the text of prom-client’s, before its first value and after many`, async () => {
    const none = await texts(labelNames, () => {});
    assert.equal(none.own, none.proms);
    const many = await texts(labelNames, (take) => {
      for (const value of VALUES) take(value, 'GetGame');
      for (const value of VALUES.slice(3)) take(value, 'a "quoted"\\ name');
      take(1, 'GetGame');
    });
    assert.match(many.own, /_bucket\{le="0\.5"/);
    assert.equal(many.own, many.proms);
  });
}
