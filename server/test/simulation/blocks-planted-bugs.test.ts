import { test } from 'node:test';
import { assertCaught, type PlantedBug } from './planting.ts';

const SET = 'await withTimeout(cluster.setBar(target, bar, asOf), timeoutMs, clock);';
const NEWER = 'const newer = ';
const END = 'const ended = await withTimeout(ending, timeoutMs, clock);';

const BUGS: readonly PlantedBug[] = [
  {
    name: 'the connections are listed before the directory has the bar',
    file: 'domain/players/bars/bar-enforcement.js',
    changes: [
      [`${NEWER}${SET}`, `${NEWER}undefined;`],
      [END, `${END} ${SET}`],
    ],
    firstSeed: 590,
    caughtAs: /B1/,
  },
  {
    name: 'a bar is set whatever its version',
    file: 'cluster/redis/bars.js',
    changes: [['return [name, String(version), value', "return [name, '9007199254740991', value"]],
    firstSeed: 35,
    caughtAs: /B2|B3/,
  },
  {
    name: 'a bar is lifted whatever its version',
    file: 'cluster/redis/bars.js',
    changes: [['[name, String(version), `', "[name, '9007199254740991', `"]],
    firstSeed: 65,
    caughtAs: /B1|B2|B3/,
  },
  {
    name: 'the directory is not asked about bars',
    file: 'gateway/membership.js',
    changes: [
      ['maxConnectionsPerPlayer, newcomer }', 'maxConnectionsPerPlayer, newcomer: { ...newcomer, barNames: [] } }'],
    ],
    caughtAs: /B1/,
  },
  {
    name: 'nobody asks about blocks in the whole game',
    file: 'domain/players/bars/bars.js',
    changes: [["barName('block', { gameId, playerId }),", '']],
    caughtAs: /B1/,
  },
  {
    name: 'a new era opens before it has the bars',
    file: 'cluster/redis/bars.js',
    changes: [['const own = bars.filter(', 'const own = [].filter(']],
    caughtAs: /B1|B3/,
  },
  {
    name: 'a new era opens with the first page of the bars',
    file: 'cluster/redis/bars.js',
    changes: [['after = next;', 'after = undefined;']],
    firstSeed: 40,
    caughtAs: /B1|B3/,
  },
  {
    name: 'a block that is lifted leaves the store before the directory knows',
    file: 'domain/players/bars/bar-enforcement.js',
    changes: [
      [
        'const { newer } = await withTimeout(cluster.liftBar(target, version), timeoutMs, clock);',
        'await store.bars.remove(name, version); const { newer } = await withTimeout(cluster.liftBar(target, version), timeoutMs, clock);',
      ],
    ],
    caughtAs: /B2|B3/,
  },
  {
    name: 'a bar that ends before the directory has it is forgotten',
    file: 'domain/players/bars/bar-enforcement.js',
    changes: [
      [
        'const { failures } = await enforce(record, asOf, { isRepeated: true });',
        'if (record.until <= clock.now()) { await store.bars.remove(name, record.version); return true; } const { failures } = await enforce(record, asOf, { isRepeated: true });',
      ],
    ],
    // It takes an expiry while the directory is away, and a bar that lasted longer: few histories have both.
    firstSeed: 2300,
    caughtAs: /B2|B3/,
  },
  {
    name: 'nobody goes on with what could not be brought to the directory',
    file: 'domain/players/bars/bar-enforcement.js',
    changes: [
      ['if (!isClosing)\n                    void background', 'if (false)\n                    void background'],
      ['void background.run(name, () => attempt(name));\n        }', '}'],
    ],
    caughtAs: /B3/,
  },
];

for (const bug of BUGS) {
  test(`the histories of blocks catch it when ${bug.name}`, () =>
    assertCaught(bug, {
      file: 'test/simulation/blocks.test.js',
      env: { TEST_SEED: String(bug.firstSeed ?? 1), TEST_HISTORIES: '299' },
    }));
}
