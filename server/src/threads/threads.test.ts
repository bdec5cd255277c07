import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isMainThread } from 'node:worker_threads';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { document, structure } from '../api/shape.ts';
import { type Clock, systemClock } from '../clock.ts';
import { sectionJobs } from '../domain/configuration/stored-sections.ts';
import { LONG } from '../domain/long-work.ts';
import { createThreads } from './threads.ts';

const LARGE = JSON.stringify({ A: { x: 'é'.repeat(500_000) }, B: { '"': [null] } });
const OWNER = 'game Demo';

function open(t: TestContext, clock: Clock = systemClock) {
  const threads = createThreads({ clock });
  t.after(() => threads.close());
  return threads;
}

test('long work gives the same in a thread as here', async (t) => {
  const threads = open(t);
  const modifications = [{ section: 'B', operation: 'ADD', path: '/y', value: '[1]' }] as const;
  const shape = structure({ Value: document() });
  const sources = { labels: new Map(), rawQuery: '', body: Buffer.from(`{"Value":${LARGE}}`) };
  for (const length of [0, LONG, LONG + 1, LARGE.length]) {
    await threads.run({ owner: OWNER, length }, async (jobs) => {
      const described = await jobs.describe({ sections: LARGE, names: ['B'] });
      assert.equal(Buffer.from(described).toString(), '{"B":{"Attributes":{"\\"":[null]},"Name":"B","Size":13}}');
      const here = sectionJobs.modify({ sections: LARGE, modifications });
      const made = await jobs.modify({ sections: LARGE, modifications });
      assert.equal(made.stored, here.stored);
      assert.ok(Buffer.from(made.described).equals(here.described));
      const file = await jobs.export(made.stored);
      assert.equal((await jobs.import(file)).stored, made.stored);
      assert.deepEqual(await jobs.readInput({ shape, sources }), { Value: LARGE });
    });
  }
});

test('everything else goes on while long work is done, and the work of others as well', async (t) => {
  const threads = open(t);
  assert.ok(isMainThread);
  let isDone = false;
  const size = { length: LARGE.length };
  const works = ['a', 'b', 'c'].map((owner) => threads.run({ ...size, owner }, (jobs) => jobs.export(LARGE)));
  const all = Promise.all(works).finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns += 1) await new Promise(setImmediate);
  assert.equal((await all).length, 3);
  assert.ok(turns > 100, `${turns} turns of the event loop`);
});

test('a refusal in a thread is the refusal of the rule, and a fault of the server stays one', async (t) => {
  const threads = open(t);
  for (const length of [0, LARGE.length]) {
    await threads.run({ owner: OWNER, length }, async (jobs) => {
      await assert.rejects(jobs.import(Buffer.from('{')), {
        name: 'ServiceError',
        code: 'validation',
        message: /^the file cannot be imported: it is not JSON/,
      });
      await assert.rejects(jobs.export('not JSON'), { name: 'SyntaxError' });
      assert.ok(await jobs.export('{}'), 'the thread works on');
    });
  }
});

test('a job that does not end is given up, and the next one gets another thread', async (t) => {
  const clock = new ManualClock();
  const threads = open(t, clock);
  await threads.run({ owner: OWNER, length: LARGE.length }, async (jobs) => {
    const job = jobs.export(LARGE);
    clock.advance(60_000);
    await assert.rejects(job, /a thread for long work ended/);
    assert.ok(await jobs.export('{}'));
  });
});

test('closing interrupts what is under way or waits, and all later work', async () => {
  const threads = createThreads({ clock: systemClock });
  const works = ['a', 'b', 'c', 'd'].map((owner) =>
    threads.run({ owner, length: LARGE.length }, (jobs) => jobs.export(LARGE)),
  );
  const refusals = Promise.all(works.map((one) => assert.rejects(one, { name: 'Interrupted' })));
  await threads.close();
  await refusals;
  await assert.rejects(
    threads.run({ owner: 'a', length: LARGE.length }, (jobs) => jobs.export('{}')),
    { name: 'Interrupted' },
  );
});
