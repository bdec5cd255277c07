import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import type { ScriptReply } from '../../src/cluster/redis/link.ts';
import { NodeRedisLink } from '../../src/cluster/redis/node-redis.ts';
import * as scripts from '../../src/cluster/redis/scripts.ts';
import { findRedisFault, RedisServer } from '../support/redis-server.ts';
import { Engine } from './engine.ts';
import { RedisData, runModel } from './redis-model.ts';

const SEEDS = 60;
const STEPS = 250;

const KEYS = [
  'era',
  'former',
  'database',
  'links',
  'nodes',
  'facts',
  'dead',
  'stages',
  'announced',
  'recovered',
  'touch',
  'bars',
  'barends',
  'barred',
  'listers',
] as const;
const PLAYERS = ['s:alice', 's:bob', 's:carol'];
const NODES = ['n1', 'n2', 'n3'];
const BARS = ['block:s:alice', 'block:s:bob', 'closure:s'];
const RUNTIMES = ['empty', '01-a', '01-b', '01-c'];
const key = (name: string) => `{d0}:${name}`;

type Call = readonly [script: (typeof scripts)[keyof typeof scripts], names: string[], texts: string[]];

/** A call such as the cluster makes; now and then one that must be refused. */
function drawCall(engine: Engine, data: RedisData): Call {
  const pick = <T>(items: readonly T[]) => engine.pick(items);
  const era = engine.chance(0.95) ? (data.texts.get(key('era')) ?? 'none') : 'r0-other';
  const [node, player, id] = [pick(NODES), pick(PLAYERS), pick(['a', 'b', 'c', 'd', 'e'])];
  const known = data.hget(key('links'), node);
  const link = known === undefined || engine.chance(0.05) ? '1' : known;
  const [at, of, stageId] = [key(`c:${player}`), key(`i:${node}`), pick(['s', 't'])];
  const ofStage = [key('s:s'), key('n:s')];
  const names = (...own: (typeof KEYS)[number][]) => own.map(key);
  const value = `${node}|1|${pick(RUNTIMES)}`;
  const players = PLAYERS.filter(() => engine.chance(0.5));
  const who = () => [pick(['90', '100', '1100']), pick(['40', '50', '600']), ...BARS.filter(() => engine.chance(0.6))];
  const bar = (): string[] => {
    const [version, until, before] = [pick(['7', '8', '9', '10']), pick(['', '100', '1000']), pick(['', '50', '500'])];
    const [isLifted, note] = [engine.chance(0.3), '{"text":"a|b\\nc"}'];
    const value = isLifted ? `${version}|lifted|||` : `${version}|set|${until}|${before}|${note}`;
    return [pick(BARS), version, value, isLifted ? '95' : until];
  };
  return pick<() => Call>([
    () => [
      scripts.SET_BARS,
      names('era', 'links', 'bars', 'barends', 'barred'),
      [
        era,
        node,
        link,
        pick(['80', '99', '100']),
        pick(['0', '80', '99']),
        ...bar(),
        ...(engine.chance(0.5) ? bar() : []),
      ],
    ],
    () => [scripts.BARRED, names('era', 'links', 'barred'), [era, node, link]],
    () => [scripts.FIND_BAR, names('era', 'barred', 'bars'), [era, ...who()]],
    () => [
      scripts.START,
      names('era', 'former', 'database'),
      [engine.chance(0.7) ? 'l0 t0' : pick(['l1 t0', '- t0', 'l0 -', '- t1'])],
    ],
    () => [
      scripts.ENTER,
      names('era', 'former'),
      [engine.chance(0.95) ? 'r0' : 'r1', String(engine.random()), engine.chance(0.95) ? 'r0-other' : era],
    ],
    () => [
      scripts.JOIN,
      names('era', 'links', 'nodes', 'facts', 'recovered', 'barred', 'listers'),
      [era, node, pick(['1', '2', '10']), '5', '{}'],
    ],
    () => [scripts.RENEW, names('era', 'links', 'nodes', 'dead', 'former'), [era, node, link, pick(['6', '7'])]],
    ...Array.from({ length: 4 }, () => (): Call => {
      const texts = [era, node, link, player, id, value, stageId, pick(RUNTIMES), pick(['1', '3'])];
      texts.push(...who());
      return [
        scripts.REGISTER,
        [...names('era', 'links'), at, of, ...names('stages', 'barred', 'bars'), ...ofStage],
        texts,
      ];
    }),
    () => {
      const own = players.flatMap((name) => [key(`c:${name}`), ...ofStage]);
      return [
        scripts.RESTORE,
        [...names('era', 'links'), of, ...own],
        [era, node, link, ...players.flatMap((name, n) => [name, `r${n}`, value])],
      ];
    },
    () => [
      scripts.UNREGISTER,
      [...names('era', 'links'), at, of, ...ofStage],
      [era, node, link, player, id, pick(['a', 'x'])],
    ],
    () => [
      scripts.LIST,
      [...names('era', 'touch'), at, key('links')],
      [era, ...NODES.filter(() => engine.chance(0.5))],
    ],
    () => [
      scripts.STAGE_PLAYERS,
      [...names('era', 'touch'), key('s:s'), ...names('nodes', 'listers')],
      [era, pick(['-', '[bob', '[c']), pick(['+', '(bo~', '(b~']), pick(['1', '2', '10'])],
    ],
    () => [
      scripts.PLAYERS_ENTRIES,
      [...names('era', 'touch'), key('s:s'), ...players.map((name) => key(`c:${name}`))],
      [era, ...players.map((name) => name.slice(2))],
    ],
    () => [scripts.STAGE_COUNTS, [...names('era', 'touch'), ...ofStage, ...names('nodes', 'listers', 'links')], [era]],
    // As a node of an earlier version does, which keeps no lists.
    () => [scripts.FORGET, names('era', 'listers'), [era, node]],
    () => [scripts.NODES, names('era', 'facts'), [era]],
    () => [scripts.BURY, names('era', 'links', 'nodes', 'facts', 'dead'), [era, node, pick(['', '5', '6'])]],
    () => [scripts.SAMPLE, [key('era'), of], [era, '64']],
    () => [
      scripts.SWEEP,
      [key('era'), of, ...players.flatMap((name) => [key(`c:${name}`), ...ofStage])],
      [era, node, ...players],
    ],
    () => [scripts.FORGET, names('era', 'dead'), [era, node]],
    () => [scripts.FORGET, names('era', 'former', 'touch'), [era, 'r1-0.5']],
    () => [scripts.FIELDS, names('era', 'links'), [era]],
    () => [
      scripts.ANNOUNCE,
      names('era', 'stages', 'announced'),
      [era, stageId, pick([...RUNTIMES.slice(1), 'closed']), pick(['80', '99', '100']), pick(['0', '80', '99'])],
    ],
    () => [scripts.RECOVERED, names('era', 'recovered'), [era]],
    () => [scripts.LEAVE, names('era', 'links', 'nodes', 'facts', 'dead'), [era, node, link]],
  ])();
}

/** Redis promises no order of a hash's or a set's members, and picks a random one of a set. */
function comparable(name: string, [status, ...rest]: ScriptReply, data: RedisData): unknown {
  if (name === 'renew' && status === 'ok') {
    const [dead = '', former = '', ...nodes] = rest;
    const isOf = (set: string, member: string) => member === '' || data.smembers(key(set)).includes(member);
    return [dead !== '', former !== '', isOf('dead', dead), isOf('former', former), pairs(nodes)];
  }
  if (name === 'list' && status === 'ok') {
    const [count, ...texts] = rest;
    const dead = texts.slice(0, Number(count));
    return [count, dead, pairs(texts.slice(dead.length))];
  }
  if (name === 'stage_players') return [status, rest];
  if (name === 'stage_counts' && status === 'ok') return [rest[0], pairs(rest.slice(1))];
  if (name === 'players_entries') return [status, [...rest].sort()];
  return [status, name === 'sample' || name === 'fields' ? [...rest].sort() : pairs(rest)];
}

function pairs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => (index % 2 === 0 ? [`${text} ${texts[index + 1]}`] : [])).sort();
}

test('the model of Redis in the simulation does what the scripts do on a real one', {
  skip: findRedisFault() ?? false,
}, async (t) => {
  const server = await RedisServer.start(t);
  const session = await new NodeRedisLink({ url: server.url, timeoutMs: 10_000, clock: systemClock }).connect(
    '{d0}',
    () => {},
  );
  t.after(() => session.close());
  const replies = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    server.command('FLUSHALL');
    const engine = new Engine(seed);
    const data = new RedisData();
    for (let step = 0; step < STEPS; step += 1) {
      const [script, names, texts] = drawCall(engine, data);
      const expected = runModel(script.name, data, names, texts);
      const got = await session.run(script, names, texts);
      const call = `seed ${seed}, step ${step}: ${script.name} ${texts.join(' ')}`;
      assert.deepEqual(comparable(script.name, got, data), comparable(script.name, expected, data), call);
      replies.add(`${script.name}: ${got[0]}`);
    }
  }
  for (const { name } of Object.values(scripts)) assert(replies.has(`${name}: ok`), `no call of ${name} succeeded`);
  for (const refusal of [
    'register: player_full',
    'register: stage_closed',
    'register: runtime_changed',
    'bury: alive',
    'register: unbarred',
    'register: barred',
    'find_bar: barred',
    'stage_players: unlisted',
    'stage_counts: unlisted',
  ]) {
    assert(replies.has(refusal), `no call was refused as ${refusal}`);
  }
});
