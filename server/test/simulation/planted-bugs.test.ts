import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A bug to put into a copy of the built server, and the invariant that must fail because of it. */
interface PlantedBug {
  readonly name: string;
  readonly file: string;
  /** Pairs of the text in the file and the text that replaces it. */
  readonly changes: readonly (readonly [string, string])[];
  /** A second check that would otherwise stop the bug. */
  readonly alsoIn?: Pick<PlantedBug, 'file' | 'changes'>;
  readonly caughtAs: RegExp;
}

const BUGS: readonly PlantedBug[] = [
  {
    name: 'input stays attached while the connection is being closed',
    file: 'gateway/connection.js',
    changes: [
      ['if (this.isStopped || !this.#mayAct() || !this', 'if (!this'],
      ["this.#state !== 'open'", 'false'],
    ],
    caughtAs: /I1/,
  },
  {
    name: 'a success is answered before the close frame is accepted or the socket destroyed',
    file: 'gateway/connection.js',
    changes: [['this.#ended = this.#closeSocket(code, reason);', 'this.#socket.close(code, reason, () => {});']],
    caughtAs: /I1/,
  },
  {
    name: 'the directory is asked before the gateway knows the connection',
    file: 'gateway/membership.js',
    changes: [
      ['this.#listed.set(connection.id, connection);', ''],
      [
        'return await registration;',
        'const fault = await registration; this.#listed.set(connection.id, connection); return fault;',
      ],
    ],
    caughtAs: /I1|I3/,
  },
  {
    name: 'a player is welcomed without a check of whether the connection was stopped meanwhile',
    file: 'gateway/gateway.js',
    changes: [['if (connection.isStopped)\n                return;\n            lookUps += 1;', 'lookUps += 1;']],
    alsoIn: { file: 'gateway/connection.js', changes: [["if (this.#state !== 'registering')", 'if (false)']] },
    caughtAs: /I1|I3|I8/,
  },
  {
    name: 'a success is answered before the directory has let go',
    file: 'gateway/membership.js',
    changes: [
      [
        '() => this.#cluster.unregister(player, [connection.id])',
        '() => void this.#cluster.unregister(player, [connection.id])',
      ],
    ],
    caughtAs: /I2/,
  },
  {
    name: 'an entry is removed while its registration is still on its way',
    file: 'gateway/membership.js',
    changes: [['this.#registrations.get(connection)?.catch(() => { })', 'undefined']],
    caughtAs: /I2|I8/,
  },
  {
    name: 'a runtime counts a connection that was stopped while it registered',
    file: 'gateway/membership.js',
    changes: [['connection.runtime?.leave();', 'if (connection.isWelcomed) connection.runtime?.leave();']],
    caughtAs: /I8: runtimes/,
  },
  {
    name: 'a connection that was stopped while it waited for room is listed all the same',
    file: 'gateway/membership.js',
    changes: [["if (connection.isStopped || room === 'none')", "if (room === 'none')"]],
    caughtAs: /I2|I8/,
  },
  {
    name: 'a player’s connections count as alive before they have answered',
    file: 'gateway/node-requests.js',
    changes: [['await connection.signOfLife();', '']],
    caughtAs: /I9/,
  },
  {
    name: 'failures are lost',
    file: 'domain/players/disconnect.js',
    changes: [['failures: [...unproven]', 'failures: []']],
    caughtAs: /I3|I4/,
  },
  {
    name: 'an unproven end is called a success',
    file: 'domain/players/disconnect.js',
    changes: [['if (!listed.has(id))', '']],
    caughtAs: /I1|I2|I3/,
  },
];

const DIST = fileURLToPath(new URL('../../', import.meta.url));

for (const bug of BUGS) {
  test(`the histories catch it when ${bug.name}`, async () => {
    // Inside dist, so that the copy finds the same node_modules.
    const copy = await mkdtemp(join(DIST, 'planted-'));
    try {
      for (const part of ['src', 'test/simulation', 'test/support'])
        await cp(join(DIST, part), join(copy, part), { recursive: true });
      await plant(bug, copy);
      if (bug.alsoIn !== undefined) await plant(bug.alsoIn, copy);
      const { code, output } = await run(join(copy, 'test/simulation/disconnect.test.js'));
      assert.notEqual(code, 0, 'the histories passed with the bug in place');
      assert.match(output, bug.caughtAs);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });
}

async function plant({ file, changes }: Pick<PlantedBug, 'file' | 'changes'>, copy: string): Promise<void> {
  const path = join(copy, 'src', file);
  let text = await readFile(path, 'utf8');
  for (const [right, wrong] of changes) {
    assert(text.includes(right), `${file} no longer contains ${right}`);
    text = text.replace(right, wrong);
  }
  await writeFile(path, text);
}

function run(file: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, [file], { env: { ...env, TEST_SEED: '1' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
