import type { ScriptReply } from '../../src/cluster/redis/link.ts';
import { UNKNOWN_PART } from '../../src/database-lineage.ts';

/** What a Redis server holds, as far as the scripts of the cluster use it. */
export class RedisData {
  readonly texts = new Map<string, string>();
  readonly hashes = new Map<string, Map<string, string>>();
  readonly sets = new Map<string, Set<string>>();
  /** Sorted sets: key → member → score. */
  readonly ranked = new Map<string, Map<string, number>>();

  clone(): RedisData {
    const copy = new RedisData();
    for (const [key, text] of this.texts) copy.texts.set(key, text);
    for (const [key, hash] of this.hashes) copy.hashes.set(key, new Map(hash));
    for (const [key, set] of this.sets) copy.sets.set(key, new Set(set));
    for (const [key, ranks] of this.ranked) copy.ranked.set(key, new Map(ranks));
    return copy;
  }

  hget(key: string, field: string): string | undefined {
    return this.hashes.get(key)?.get(field);
  }

  hset(key: string, field: string, value: string): void {
    const hash = this.hashes.get(key) ?? new Map<string, string>();
    this.hashes.set(key, hash.set(field, value));
  }

  hdel(key: string, field: string): void {
    const hash = this.hashes.get(key);
    hash?.delete(field);
    if (hash?.size === 0) this.hashes.delete(key);
  }

  hgetall(key: string): string[] {
    return [...(this.hashes.get(key) ?? [])].flat();
  }

  sadd(key: string, member: string): void {
    this.sets.set(key, (this.sets.get(key) ?? new Set<string>()).add(member));
  }

  srem(key: string, member: string): void {
    const set = this.sets.get(key);
    set?.delete(member);
    if (set?.size === 0) this.sets.delete(key);
  }

  smembers(key: string): string[] {
    return [...(this.sets.get(key) ?? [])];
  }

  unlink(key: string): void {
    this.texts.delete(key);
    this.hashes.delete(key);
    this.sets.delete(key);
    this.ranked.delete(key);
  }

  zadd(key: string, score: number, member: string): void {
    this.ranked.set(key, (this.ranked.get(key) ?? new Map<string, number>()).set(member, score));
  }

  zrem(key: string, member: string): void {
    const ranks = this.ranked.get(key);
    ranks?.delete(member);
    if (ranks?.size === 0) this.ranked.delete(key);
  }

  /** Up to `limit` members between two ends, as ZRANGEBYLEX has them. */
  zrangebylex(key: string, min: string, max: string, limit: number): string[] {
    const isBehind = (member: string) => min === '-' || member >= min.slice(1);
    const isBefore = (member: string) => {
      return max === '+' || (max.startsWith('(') ? member < max.slice(1) : member <= max.slice(1));
    };
    const members = [...(this.ranked.get(key)?.keys() ?? [])].sort();
    return members.filter((member) => isBehind(member) && isBefore(member)).slice(0, limit);
  }

  /** Up to `limit` members with a score of `maximum` at most, the lowest first. */
  zrange(key: string, maximum: number, limit: number): string[] {
    const found = [...(this.ranked.get(key) ?? [])].filter(([, score]) => score <= maximum);
    const byRank = found.sort(([one, a], [other, b]) => a - b || (one < other ? -1 : 1));
    return byRank.slice(0, limit).map(([member]) => member);
  }
}

type Model = (data: RedisData, keys: readonly string[], texts: readonly string[]) => ScriptReply;

const OK: ScriptReply = ['ok'];

/** What the script of this name does; `differential.test.ts` holds each of these against the script itself. */
export function runModel(
  name: string,
  data: RedisData,
  keys: readonly string[],
  texts: readonly string[],
): ScriptReply {
  const model = MODELS[name];
  if (model === undefined) throw new Error(`there is no model of the script ${name}`);
  if (!BEFORE_ERA.has(name) && data.texts.get(at(keys, 0)) !== at(texts, 0)) return ['era_changed'];
  if (ON_LINK.has(name)) {
    const link = data.hget(at(keys, 1), at(texts, 1));
    if (link === 'dead') return ['dead'];
    if (link !== at(texts, 2)) return ['link_replaced'];
  }
  return model(data, keys, texts);
}

const BEFORE_ERA = new Set(['start', 'enter']);
const ON_LINK = new Set(['renew', 'register', 'restore', 'unregister', 'leave', 'set_bars', 'barred']);

function at(texts: readonly string[], index: number): string {
  const text = texts[index];
  if (text === undefined) throw new Error(`a script was called without its argument ${index}`);
  return text;
}

function ownerOf(value: string): string {
  return value.split('|')[0] ?? '';
}

/** Takes a player off a node's index when it has no entry of the node any more. */
function forget(data: RedisData, key: string, index: string, player: string, node: string): void {
  const values = [...(data.hashes.get(key)?.values() ?? [])];
  if (!values.some((value) => ownerOf(value) === node)) data.srem(index, player);
}

/** The keys of a player and of the stage's list and counts. */
type EntryKeys = readonly [player: string, stage: string, counts: string];

function entryKeys(keys: readonly string[], from: number): EntryKeys {
  return [at(keys, from), at(keys, from + 1), at(keys, from + 2)];
}

function idOf(player: string): string {
  return player.slice(player.indexOf(':') + 1);
}

function countEntry(data: RedisData, counts: string, value: string, by: number): void {
  const [node = '', , runtime = ''] = value.split('|');
  const field = `${node}|${runtime}`;
  const count = Number(data.hget(counts, field) ?? 0) + by;
  if (count > 0) data.hset(counts, field, String(count));
  else data.hdel(counts, field);
}

function addEntry(data: RedisData, [key, stage, counts]: EntryKeys, player: string, id: string, value: string): void {
  const isNew = data.hget(key, id) === undefined;
  data.hset(key, id, value);
  if (!isNew) return;
  countEntry(data, counts, value, 1);
  data.zadd(stage, 0, idOf(player));
}

function removeEntry(data: RedisData, [key, , counts]: EntryKeys, id: string, value: string): void {
  data.hdel(key, id);
  countEntry(data, counts, value, -1);
}

function unlist(data: RedisData, [key, stage]: EntryKeys, player: string): void {
  if (!data.hashes.has(key)) data.zrem(stage, idOf(player));
}

/** Whether all nodes keep lists of stages. */
function allList(data: RedisData, nodes: string, listers: string): boolean {
  const known = new Set(data.smembers(listers));
  return [...(data.hashes.get(nodes)?.keys() ?? [])].every((node) => known.has(node));
}

/** The first of the bars that holds and keeps out who signed in at `since`. */
function findBar(
  data: RedisData,
  bars: string,
  [now = '', since = '', ...names]: readonly string[],
): ScriptReply | undefined {
  for (const name of names) {
    const value = data.hget(bars, name);
    const [, state, until = '', before = ''] = value?.split('|') ?? [];
    if (value === undefined || state !== 'set') continue;
    const holds = until === '' || Number(now) < Number(until);
    if (holds && (before === '' || Number(since) < Number(before))) return ['barred', name, value];
  }
  return undefined;
}

const MODELS: Readonly<Record<string, Model>> = {
  start(data, keys, [lineage = '']) {
    const known = data.texts.get(at(keys, 2))?.split(' ') ?? [];
    const own = lineage.split(' ');
    const isKnown = (part: string | undefined) => part !== undefined && part !== UNKNOWN_PART;
    const isOther = own.some((part, index) => isKnown(part) && isKnown(known[index]) && part !== known[index]);
    const parts = own.map((part, index) => (isOther || isKnown(part) ? part : (known[index] ?? part)));
    data.texts.set(at(keys, 2), parts.join(' '));
    const era = data.texts.get(at(keys, 0));
    if (!isOther || era === undefined) return ['ok', '0'];
    data.sadd(at(keys, 1), era);
    data.texts.delete(at(keys, 0));
    return ['ok', '1'];
  },
  enter(data, keys, [runId = '', part = '', lost = '']) {
    const era = data.texts.get(at(keys, 0));
    if (era !== lost && era?.startsWith(`${runId}-`)) return ['ok', era];
    if (era !== undefined) data.sadd(at(keys, 1), era);
    data.texts.set(at(keys, 0), `${runId}-${part}`);
    return ['ok', `${runId}-${part}`];
  },
  join(data, keys, [, node = '', link = '', sequence = '', facts = '']) {
    const known = data.hget(at(keys, 1), node);
    if (known === 'dead') return ['dead'];
    if (known !== undefined && Number(known) > Number(link)) return ['link_replaced'];
    data.hset(at(keys, 1), node, link);
    data.hset(at(keys, 2), node, sequence);
    data.hset(at(keys, 3), node, facts);
    data.sadd(at(keys, 6), node);
    return ['ok', data.texts.has(at(keys, 4)) ? '1' : '0', data.texts.has(at(keys, 5)) ? '1' : '0'];
  },
  renew(data, keys, [, node = '', , sequence = '']) {
    data.hset(at(keys, 2), node, sequence);
    const [dead = ''] = data.smembers(at(keys, 3));
    const [former = ''] = data.smembers(at(keys, 4));
    return ['ok', dead, former, ...data.hgetall(at(keys, 2))];
  },
  register(data, keys, [, , , player = '', id = '', value = '', stageId = '', runtimeId = '', maximum = '', ...who]) {
    if (!data.texts.has(at(keys, 5))) return ['unbarred'];
    const newest = data.hget(at(keys, 4), stageId);
    if (newest === 'closed') return ['stage_closed'];
    if (newest !== undefined && newest !== 'empty' && (runtimeId === 'empty' || newest > runtimeId)) {
      return ['runtime_changed'];
    }
    const barred = findBar(data, at(keys, 6), who);
    if (barred !== undefined) return barred;
    if (data.hget(at(keys, 2), id) !== undefined) return OK;
    if ((data.hashes.get(at(keys, 2))?.size ?? 0) >= Number(maximum)) return ['player_full'];
    addEntry(data, [at(keys, 2), at(keys, 7), at(keys, 8)], player, id, value);
    data.sadd(at(keys, 3), player);
    return OK;
  },
  find_bar(data, keys, [, ...who]) {
    if (!data.texts.has(at(keys, 1))) return ['unbarred'];
    return findBar(data, at(keys, 2), who) ?? OK;
  },
  set_bars(data, keys, [, , , now = '', forgottenUntil = '', ...bars]) {
    const [hash, ends] = [at(keys, 2), at(keys, 3)];
    let [held, newer] = ['0', ''];
    for (let index = 0; index < bars.length; index += 4) {
      const [name = '', version = '', value = '', forgottenAt = ''] = bars.slice(index, index + 4);
      const known = data.hget(hash, name);
      const before = known?.split('|')[0] ?? '';
      if (Number(before) > Number(version)) newer = before;
      if (known !== undefined && Number(before) >= Number(version)) continue;
      const [, until] = /^\d+\|set\|(\d*)\|/.exec(known ?? '') ?? [];
      if (until === '' || Number(until) > Number(now)) held = '1';
      data.hset(hash, name, value);
      if (forgottenAt === '') data.zrem(ends, name);
      else data.zadd(ends, Number(forgottenAt), name);
    }
    for (const name of data.zrange(ends, Number(forgottenUntil), 20)) {
      data.hdel(hash, name);
      data.zrem(ends, name);
    }
    return ['ok', data.texts.has(at(keys, 4)) ? '1' : '0', held, newer];
  },
  barred(data, keys) {
    data.texts.set(at(keys, 2), '1');
    return OK;
  },
  restore(data, keys, texts) {
    for (let index = 3; index < keys.length; index += 3) {
      const player = at(texts, index);
      addEntry(data, entryKeys(keys, index), player, at(texts, index + 1), at(texts, index + 2));
      data.sadd(at(keys, 2), player);
    }
    return OK;
  },
  unregister(data, keys, [, node = '', , player = '', ...ids]) {
    const own: EntryKeys = [at(keys, 2), at(keys, 4), at(keys, 5)];
    for (const id of ids) {
      const value = data.hget(at(keys, 2), id);
      if (value !== undefined && ownerOf(value) === node) removeEntry(data, own, id, value);
    }
    unlist(data, own, player);
    forget(data, at(keys, 2), at(keys, 3), player, node);
    return OK;
  },
  list(data, keys, [, ...nodes]) {
    data.texts.set(at(keys, 1), '1');
    const dead = nodes.filter((node) => data.hget(at(keys, 3), node) === 'dead');
    return ['ok', String(dead.length), ...dead, ...data.hgetall(at(keys, 2))];
  },
  stage_players(data, keys, [, min = '', max = '', limit = '']) {
    data.texts.set(at(keys, 1), '1');
    if (!allList(data, at(keys, 3), at(keys, 4))) return ['unlisted'];
    return ['ok', ...data.zrangebylex(at(keys, 2), min, max, Number(limit))];
  },
  players_entries(data, keys, [, ...ids]) {
    data.texts.set(at(keys, 1), '1');
    const replies = ids.flatMap((id, index) => {
      const entries = data.hgetall(at(keys, index + 3));
      if (entries.length === 0) data.zrem(at(keys, 2), id);
      return [String(entries.length / 2), ...entries];
    });
    return ['ok', ...replies];
  },
  stage_counts(data, keys) {
    data.texts.set(at(keys, 1), '1');
    if (!allList(data, at(keys, 4), at(keys, 5))) return ['unlisted'];
    const counts = [...(data.hashes.get(at(keys, 3)) ?? [])];
    const living = counts.filter(([field]) => data.hget(at(keys, 6), ownerOf(field)) !== 'dead');
    return ['ok', String(data.ranked.get(at(keys, 2))?.size ?? 0), ...living.flat()];
  },
  nodes: (data, keys) => ['ok', ...data.hgetall(at(keys, 1))],
  bury(data, keys, [, node = '', sequence = '']) {
    const known = data.hget(at(keys, 2), node);
    if (sequence !== '' && known !== undefined && known !== sequence) return ['alive'];
    if (data.hget(at(keys, 1), node) === undefined) return OK;
    data.hset(at(keys, 1), node, 'dead');
    data.hdel(at(keys, 2), node);
    data.hdel(at(keys, 3), node);
    data.sadd(at(keys, 4), node);
    return OK;
  },
  sample: (data, keys, [, count = '']) => ['ok', ...data.smembers(at(keys, 1)).slice(0, Number(count))],
  sweep(data, keys, [, node = '', ...players]) {
    for (const [index, player] of players.entries()) {
      const own = entryKeys(keys, 2 + index * 3);
      for (const [id, value] of [...(data.hashes.get(own[0]) ?? [])]) {
        if (ownerOf(value) === node) removeEntry(data, own, id, value);
      }
      unlist(data, own, player);
      data.srem(at(keys, 1), player);
    }
    return OK;
  },
  forget(data, keys, [, ...members]) {
    for (const key of keys.slice(2)) data.unlink(key);
    for (const member of members) data.srem(at(keys, 1), member);
    return OK;
  },
  fields: (data, keys) => ['ok', ...(data.hashes.get(at(keys, 1))?.keys() ?? [])],
  announce(data, keys, [, stageId = '', news = '', forgottenAt = '', forgottenUntil = '']) {
    const [, stages = '', announced = ''] = keys;
    const newest = data.hget(stages, stageId);
    if (news === 'closed' || newest === undefined || (newest !== 'closed' && news > newest)) {
      data.hset(stages, stageId, news);
    }
    data.zadd(announced, Number(forgottenAt), stageId);
    for (const stage of data.zrange(announced, Number(forgottenUntil), 20)) {
      data.hdel(stages, stage);
      data.zrem(announced, stage);
    }
    return OK;
  },
  recovered(data, keys) {
    data.texts.set(at(keys, 1), '1');
    return OK;
  },
  leave(data, keys, [, node = '']) {
    data.hset(at(keys, 1), node, 'dead');
    data.hdel(at(keys, 2), node);
    data.hdel(at(keys, 3), node);
    data.sadd(at(keys, 4), node);
    return OK;
  },
};
