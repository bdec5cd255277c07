import { test } from 'node:test';
import { assertCaught, type PlantedBug } from './planting.ts';

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
    changes: [['this.#ended = this.#closeSocket(code, reason, last);', 'this.#socket.close(code, reason, () => {});']],
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
    alsoIn: [{ file: 'gateway/connection.js', changes: [["if (this.#state !== 'registering')", 'if (false)']] }],
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
    name: 'a player is told why who has not been welcomed',
    file: 'gateway/connection.js',
    changes: [["this.#state !== 'open' || !this.#mayAct()", '!this.#mayAct()']],
    caughtAs: /I11/,
  },
  {
    name: 'a socket that was destroyed counts as one whose close frame was accepted',
    file: 'gateway/connection.js',
    changes: [['this.#end = { proof,', "this.#end = { proof: 'close_frame_accepted',"]],
    caughtAs: /I10/,
  },
  {
    name: 'an end that its owner did not prove is called proven',
    file: 'domain/players/disconnect.js',
    changes: [['if (unproven.has(id))\n        return UNPROVEN;', '']],
    caughtAs: /I10/,
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

/** What the history of a crowd says of a place that is taken or given back twice, or never. */
const NOT_ONCE =
  /have places|whoever is let in has a place|each place is given back once|only a connection that has a place gives/;

const OF_CROWDS: readonly PlantedBug[] = [
  {
    name: 'a connection that gave way gives its place back once more when its socket is gone',
    file: 'gateway/gateway.js',
    changes: [['this.#replaced.add(connection);', '']],
    caughtAs: NOT_ONCE,
  },
  {
    name: 'a connection that gives way keeps its place until its socket is gone',
    file: 'gateway/gateway.js',
    changes: [['this.#replaced.add(connection);\n        this.#giveBackPlace(connection);', '']],
    caughtAs: NOT_ONCE,
  },
  {
    name: 'a connection without a place gives way to another',
    file: 'gateway/gateway.js',
    changes: [['else if (!this.#placeless.has(connection))', 'else']],
    caughtAs: NOT_ONCE,
  },
  {
    name: 'a connection without a place takes one',
    file: 'gateway/limits.js',
    changes: [['if (!hasPlace)\n            this.#withoutPlace += 1;', '']],
    caughtAs: NOT_ONCE,
  },
];

for (const bug of OF_CROWDS) {
  test(`the histories of a crowd catch it when ${bug.name}`, () =>
    assertCaught(bug, { file: 'test/simulation/crowd.test.js', env: { TEST_SEED: '1' } }));
}

for (const bug of BUGS) {
  test(`the histories catch it when ${bug.name}`, () =>
    assertCaught(bug, { file: 'test/simulation/disconnect.test.js', env: { TEST_SEED: '1' } }));
}
