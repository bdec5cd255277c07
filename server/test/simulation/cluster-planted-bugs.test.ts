import { test } from 'node:test';
import { assertCaught, type PlantedBug } from './planting.ts';

const BUGS: readonly PlantedBug[] = [
  {
    name: 'an end is acknowledged before the directory has let go, with the listener still attached',
    file: 'gateway/membership.js',
    changes: [
      [
        '() => this.#cluster.unregister(player, [connection.id])',
        '() => void this.#cluster.unregister(player, [connection.id]).catch(() => {})',
      ],
    ],
    alsoIn: [
      {
        file: 'gateway/connection.js',
        changes: [
          ['if (this.isStopped || !this.#mayAct() || !this', 'if (!this'],
          ["this.#state !== 'open'", 'false'],
        ],
      },
    ],
    caughtAs: /I1|I2/,
  },
  {
    name: 'a player is welcomed without a check of what has happened meanwhile',
    file: 'gateway/gateway.js',
    changes: [
      ['if (connection.isStopped)\n                return;\n            lookUps += 1;', 'lookUps += 1;'],
      ['if (connection.lease?.mayAct() !== true)\n            return;', ''],
    ],
    alsoIn: [{ file: 'gateway/connection.js', changes: [["if (this.#state !== 'registering')", 'if (false)']] }],
    firstSeed: 1_110,
    caughtAs: /I1|I3|I4|I8/,
  },
  {
    name: 'a lease ends only when its timer comes',
    file: 'cluster/redis/lease.js',
    changes: [
      [
        'if (this.#clock.monotonic() < this.#until.monotonic && this.#clock.now() < this.#until.wall)\n            return true;',
        'return true;',
      ],
      [
        'if (this.mayAct())\n                this.#watch();',
        'if (this.#clock.monotonic() < this.#until.monotonic) this.#watch(); else this.end();',
      ],
    ],
    firstSeed: 1_125,
    caughtAs: /I1|I3/,
  },
  {
    name: 'the lease counts in a new era before the last connection is acknowledged there',
    file: 'cluster/redis/partition.js',
    changes: [
      [
        'await this.#restore(joined);\n        this.#countLease();',
        'this.#isRestored = true; this.#countLease(); await this.#restore(joined);',
      ],
    ],
    caughtAs: /I3|I4/,
  },
  {
    name: 'failures are lost',
    file: 'domain/players/disconnect.js',
    changes: [['failures: [...unproven]', 'failures: []']],
    caughtAs: /I3|I4/,
  },
  {
    name: 'a command of a connection that was given up comes into force later',
    file: 'cluster/redis/partition.js',
    changes: [['this.#links += 1;', '']],
    firstSeed: 1_450,
    caughtAs: /I2|I8/,
  },
  {
    name: 'what was not acknowledged before a link broke is not asked for again',
    file: 'cluster/redis/partition.js',
    changes: [['this.#departures.sendAll(joined);', '']],
    caughtAs: /I8/,
  },
  {
    name: 'a directory that is recovering answers',
    file: 'cluster/redis/partition.js',
    changes: [['if (!this.#isRecovered)\n            throw', 'if (false) throw']],
    caughtAs: /I3|I7/,
  },
  {
    name: 'nodes are left out while the directory recovers',
    file: 'cluster/redis/redis-cluster.js',
    changes: [
      ['if (!this.#allPartitions().some(({ isRecovered }) => isRecovered))\n            throw', 'if (false) throw'],
    ],
    caughtAs: /I10/,
  },
  {
    name: 'a connection that was registered before a deployment opens after it',
    file: 'gateway/gateway.js',
    changes: [['if (connection.runtime?.isOutdated())', 'if (false)']],
    caughtAs: /I9/,
  },
  {
    name: 'the directory does not look at the runtime of a connection',
    file: 'cluster/redis/partition.js',
    changes: [['encodeEntry(entry), key.stageId, runtimeId', "encodeEntry(entry), key.stageId, '99'"]],
    firstSeed: 1_190,
    caughtAs: /I9/,
  },
  {
    name: 'a node is dead after half a lease',
    file: 'cluster/redis/observation.js',
    changes: [['>= this.#leaseMs', '>= this.#leaseMs / 2']],
    caughtAs: /I3|I4|I8/,
  },
];

for (const bug of BUGS) {
  test(`the histories of a cluster catch it when ${bug.name}`, () =>
    assertCaught(bug, {
      file: 'test/simulation/cluster.test.js',
      env: { TEST_SEED: String(bug.firstSeed ?? 1_001), TEST_HISTORIES: '600' },
    }));
}
