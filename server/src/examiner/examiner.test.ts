import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { until } from '../../test/support/server.ts';
import { systemClock } from '../clock.ts';
import { SETTING_GROUPS } from '../config/config.ts';
import { examineInThisThread } from '../domain/examination.ts';
import { createExaminer } from './examiner.ts';

const MEGABYTE = 1_000_000;
const SETTINGS = { examinerThreads: 2, examinerMemoryBytes: 512 * 1_048_576 };

const CODE = { gameName: 'Demo', targetPlatform: 'Unity', language: 'CSharp', gameSdkVersion: '1.0.0' };

/** Stored sections of about this length, whose requests share one shape. */
function sectionsOf({ length, Shape = 'String' }: { length: number; Shape?: string }): string {
  // A game may not have as many requests as would fit without their descriptions.
  const Description = 'It asks whether anybody is there. '.repeat(8);
  const request = { AllowedSources: ['Player'], Description, RequestShape: 'Ping', ResponseShape: 'Ping' };
  const count = Math.ceil(length / JSON.stringify({ R00000: request }).length);
  const requests = Array.from({ length: count }, (_, index) => [`R${String(index).padStart(5, '0')}`, request]);
  return JSON.stringify({
    'GameSparks.Core.Model': { Ping: { Structure: { Fields: { text: { Shape, Cardinality: 'Required' } } } } },
    'GameSparks.Core.Requests': Object.fromEntries(requests),
  });
}

for (const length of [100, MEGABYTE]) {
  test(`sections of ${length} bytes are examined as they would be in this thread`, async () => {
    const { examine } = createExaminer({ clock: systemClock, settings: SETTINGS });
    const sections = sectionsOf({ length });
    assert.deepEqual(await examine({ sections }), { faults: [], archive: undefined });
    const { faults, archive } = await examine({ sections, code: CODE });
    assert.deepEqual(faults, []);
    assert.deepEqual(
      archive && Buffer.from(archive),
      Buffer.from(examineInThisThread({ sections, code: CODE }).archive ?? []),
    );
    const faulty = { sections: sectionsOf({ length, Shape: 'Unknown' }), code: CODE };
    assert.deepEqual(await examine(faulty), examineInThisThread(faulty));
    assert.equal((await examine(faulty)).faults.length, 1);
  });
}

for (const length of [100, MEGABYTE]) {
  test(`everything else goes on while ${length} bytes are examined`, async () => {
    const { examine } = createExaminer({ clock: systemClock, settings: SETTINGS });
    const sections = sectionsOf({ length });
    let isDone = false;
    const examination = examine({ sections, code: CODE }).finally(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns += 1) await new Promise(setImmediate);
    assert.equal((await examination).faults.length, 0);
    assert.ok(turns > 100, `${turns} turns of the event loop`);
  });
}

test('a failure in the process is passed on', async () => {
  const { examine } = createExaminer({ clock: systemClock, settings: SETTINGS });
  await assert.rejects(examine({ sections: 'not JSON' }), { name: 'SyntaxError' });
  const code = { ...CODE, language: 'COBOL' };
  await assert.rejects(examine({ sections: sectionsOf({ length: MEGABYTE }), code }), /COBOL/);
});

test('a script that nests too deeply is a fault of its snapshot, and not the end of the process', async () => {
  const { examine } = createExaminer({ clock: systemClock, settings: SETTINGS });
  const Code = { ScriptLanguage: 'Javascript_ES5_1', Script: '`${'.repeat(3_000) };
  const sections = {
    ...JSON.parse(sectionsOf({ length: 100 })),
    'GameSparks.Core.RequestHandlers': { R00000: { Enabled: true, Code } },
  };
  const { faults } = await examine({ sections: JSON.stringify(sections) });
  assert.match(faults[0]?.message ?? '', /The script nests too deeply/);
});

/** A program that does so much of an examination as `code` says. */
function programOf(t: TestContext, code: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'respark-examiner-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'program.mjs');
  writeFileSync(program, code);
  return program;
}

test('a process that V8 gives up is a failure of its examination, and not the end of this process', async (t) => {
  const program = programOf(t, "process.on('message', () => process.abort());");
  const { examine } = createExaminer({ clock: systemClock, settings: SETTINGS, program });
  for (let count = 0; count < 3; count += 1) {
    await assert.rejects(examine({ sections: '{}' }), /the examining process ended with .* and without findings/);
  }
});

test('what waits for the next snapshot does not keep this process from its end', () => {
  const code = `
    import { createExaminer } from ${JSON.stringify(new URL('./examiner.js', import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL('../clock.js', import.meta.url).href)};
    const { examine } = createExaminer({ clock: systemClock, settings: ${JSON.stringify(SETTINGS)} });
    console.log((await examine({ sections: '{}' })).faults.length);`;
  const args = ['--input-type=module', '--eval', code];
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 }), '0\n');
});

test('a snapshot that is examined without an end has no process any more once the server has been killed', async (t) => {
  const program = programOf(
    t,
    `import { writeFileSync } from 'node:fs';
    process.on('message', ({ sections }) => {
      writeFileSync(sections, String(process.pid));
      for (;;);
    });`,
  );
  const pidFile = `${program}.pid`;
  const code = `
    import { createExaminer } from ${JSON.stringify(new URL('./examiner.js', import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL('../clock.js', import.meta.url).href)};
    const program = ${JSON.stringify(program)};
    const { examine } = createExaminer({ clock: systemClock, settings: ${JSON.stringify(SETTINGS)}, program });
    await examine({ sections: ${JSON.stringify(pidFile)} });`;
  const server = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: 'ignore' });
  t.after(() => server.kill('SIGKILL'));
  await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  t.after(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  server.kill('SIGKILL');
  await until(() => !isRunning(pid));
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a process that a stop of the whole server ends before it listens is interrupted', {
  skip: process.platform === 'win32',
}, async (t) => {
  const program = programOf(t, "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1_000);");
  const { examine } = createExaminer({ clock: systemClock, settings: SETTINGS, program });
  await assert.rejects(examine({ sections: '{}' }), { name: 'Interrupted' });
});

test('the least memory that may be set is enough for a script that takes as much as any', async () => {
  const named = SETTING_GROUPS.flatMap(({ settings }) => settings);
  const { rule } = named.find(({ key }) => key === 'examinerMemoryBytes') ?? { rule: '' };
  const settings = { ...SETTINGS, examinerMemoryBytes: Number.parseInt(rule, 10) };
  const { examine } = createExaminer({ clock: systemClock, settings });
  const Code = { ScriptLanguage: 'Javascript_ES5_1', Script: `a${'``'.repeat(500_000)};` };
  const sections = {
    ...JSON.parse(sectionsOf({ length: 100 })),
    'GameSparks.Core.RequestHandlers': { R00000: { Enabled: true, Code } },
  };
  const { faults } = await examine({ sections: JSON.stringify(sections) });
  assert.match(faults[0]?.message ?? '', /The script nests too deeply/);
});

test('an examination that does not end is given up', async () => {
  const clock = new ManualClock();
  const examination = createExaminer({ clock, settings: SETTINGS }).examine({
    sections: sectionsOf({ length: MEGABYTE }),
  });
  clock.advance(60_000);
  await assert.rejects(examination, /no answer within 60000 ms/);
  assert.equal(clock.pending, 0);
});

test('no more processes run at once than the settings allow, and the others wait their turn', async () => {
  const clock = new ManualClock();
  const { examine, close } = createExaminer({ clock, settings: { ...SETTINGS, examinerThreads: 1 } });
  const order: string[] = [];
  const examinations = ['first', 'second', 'third'].map(async (name) => {
    await examine({ sections: sectionsOf({ length: 100 }) });
    order.push(name);
  });
  await new Promise(setImmediate);
  // Each process has a timer of its own.
  assert.equal(clock.pending, 1);
  await Promise.all(examinations);
  assert.deepEqual(order, ['first', 'second', 'third']);

  const waiting = [1, 2].map(() => examine({ sections: sectionsOf({ length: MEGABYTE }) }));
  const refusals = Promise.all(waiting.map((one) => assert.rejects(one, { name: 'Interrupted' })));
  await close();
  await refusals;
});

test('closing interrupts the examinations under way, and all later ones', async () => {
  const { examine, close } = createExaminer({ clock: systemClock, settings: SETTINGS });
  const examinations = [1, 2].map(() => examine({ sections: sectionsOf({ length: MEGABYTE }) }));
  const refusals = Promise.all(examinations.map((one) => assert.rejects(one, { name: 'Interrupted' })));
  await close();
  await refusals;
  await assert.rejects(examine({ sections: '{}' }), { name: 'Interrupted' });
});
