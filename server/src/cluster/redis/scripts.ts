import { UNKNOWN_PART } from '../../database-lineage.ts';
import { IN_ERA, KEEP_STAGE, ON_LINK, script } from './script-parts.ts';

/**
 * What Redis does in one step each. The keys of a script are those of one partition; all but `era`, `former` and `database` carry
 * the era in their names, so that a new era begins empty:
 *
 * - `era`        the current era: the run id of the server that it began on, and a random part
 * - `former`     set: eras that have ended and whose keys are still there
 * - `database`   the lineage of the database on which a node has started last
 * - `links`      hash: incarnation → the number of its current connection, or `dead` for good
 * - `nodes`      hash: incarnation → the sequence number of its last renewal, while it has not left or died
 * - `facts`      hash: incarnation → what the node says about itself, JSON
 * - `dead`       set: incarnations that are dead and whose entries are still there
 * - `stages`     hash: stage id → `closed`, or the newest runtime that was announced
 * - `announced`  sorted set: stage id → when what was announced of it may be forgotten
 * - `recovered`  there once a node has seen the era for long enough
 * - `bars`       hash: name of a bar → `version|set or lifted|until|signed in before|note`
 * - `barends`    sorted set: name of a bar that ends → when it may be forgotten
 * - `barred`     there once the era has every bar of a database, which its name has: no player is registered before
 * - `listers`    set: incarnations that keep `stage` and `counts`, which those of earlier versions do not
 * - `player`     hash: connection id → `incarnation|created|runtime`
 * - `index`      set, one for each incarnation: the players that have entries of it
 * - `stage`      sorted set, one for each stage: the ids of its players that have entries; all scores are 0
 * - `counts`     hash, one for each stage: `incarnation|runtime` → how many entries have both
 */

/**
 * Keys: era, former, database. Parameter: the lineage of the database of a node that starts. Ends the era if that is another
 * database than before: what the era knows of stages and bars is not what this database says. An unknown part of a lineage
 * equals every other, because nodes may have different rights on one database. Replies with 1 when it has ended the era.
 */
export const START = script(
  'start',
  `local known = redis.call('GET', KEYS[3])`,
  `local nextKnown = string.gmatch(known or '', '%S+')`,
  `local isOther, parts = false, {}`,
  `for part in string.gmatch(ARGV[1], '%S+') do`,
  `  local before = nextKnown() or '${UNKNOWN_PART}'`,
  `  if part == '${UNKNOWN_PART}' then part = before`,
  `  elseif before ~= '${UNKNOWN_PART}' and part ~= before then isOther = true end`,
  `  table.insert(parts, part)`,
  `end`,
  `redis.call('SET', KEYS[3], isOther and ARGV[1] or table.concat(parts, ' '))`,
  `local era = redis.call('GET', KEYS[1])`,
  `if not isOther or not era then return {'ok', '0'} end`,
  `redis.call('SADD', KEYS[2], era)`,
  `redis.call('DEL', KEYS[1])`,
  `return {'ok', '1'}`,
);

/**
 * Keys: era, former. Parameters: run id, random part, an era of which keys were lost. Replies with the era, which it begins if
 * the server has none, or that one.
 */
export const ENTER = script(
  'enter',
  `local era = redis.call('GET', KEYS[1])`,
  `if era and era ~= ARGV[3] and string.sub(era, 1, #ARGV[1] + 1) == ARGV[1] .. '-' then return {'ok', era} end`,
  `if era then redis.call('SADD', KEYS[2], era) end`,
  `era = ARGV[1] .. '-' .. ARGV[2]`,
  `redis.call('SET', KEYS[1], era)`,
  `return {'ok', era}`,
);

/**
 * Keys: era, links, nodes, facts, recovered, barred, listers. Parameters: era, node, link, sequence, facts. From now on earlier links
 * of the node count no more. Replies with 1 when the era has recovered, and with 1 when it has all bars.
 */
export const JOIN = script(
  'join',
  IN_ERA,
  `local link = redis.call('HGET', KEYS[2], ARGV[2])`,
  `if link == 'dead' then return {'dead'} end`,
  `if link and tonumber(link) > tonumber(ARGV[3]) then return {'link_replaced'} end`,
  `redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])`,
  `redis.call('HSET', KEYS[3], ARGV[2], ARGV[4])`,
  `redis.call('HSET', KEYS[4], ARGV[2], ARGV[5])`,
  `redis.call('SADD', KEYS[7], ARGV[2])`,
  `return {'ok', tostring(redis.call('EXISTS', KEYS[5])), tostring(redis.call('EXISTS', KEYS[6]))}`,
);

/**
 * Keys: era, links, nodes, dead, former. Parameters: era, node, link, sequence. Replies with a dead node and a former era that
 * are still to be swept, if any, and then each node and its sequence number.
 */
export const RENEW = script(
  'renew',
  IN_ERA,
  ON_LINK,
  `redis.call('HSET', KEYS[3], ARGV[2], ARGV[4])`,
  `local reply = {'ok', redis.call('SRANDMEMBER', KEYS[4]) or '', redis.call('SRANDMEMBER', KEYS[5]) or ''}`,
  `for _, text in ipairs(redis.call('HGETALL', KEYS[3])) do reply[#reply + 1] = text end`,
  `return reply`,
);

/**
 * Finds the first bar that keeps out a player who signed in at `since`, among those named by the parameters from `from`
 * on. The times are numbers: texts would be compared character by character.
 */
const FIND_BAR_AMONG = `local function find_bar(bars, now, since, from)
  if #ARGV < from then return nil end
  local values = redis.call('HMGET', bars, unpack(ARGV, from))
  for i, value in ipairs(values) do
    if value then
      local state, till, before = string.match(value, '^%d+|(%a+)|(%d*)|(%d*)|')
      local holds = state == 'set' and (till == '' or now < tonumber(till))
      if holds and (before == '' or since < tonumber(before)) then return {'barred', ARGV[from + i - 1], value} end
    end
  end
  return nil
end`;

/** No player is let in before the era has every bar. */
const WITH_BARS = (barred: string) => `if redis.call('EXISTS', ${barred}) == 0 then return {'unbarred'} end`;

/**
 * Keys: era, links, player, index, stages, barred, bars, stage, counts. Parameters: era, node, link, player, connection id, value, stage id,
 * runtime, maximum, now, when the player signed in, names of bars. Replies with the fault, with a bar and its value, or with
 * `ok` when the connection is listed, as it may have been before.
 */
export const REGISTER = script(
  'register',
  FIND_BAR_AMONG,
  KEEP_STAGE,
  IN_ERA,
  ON_LINK,
  WITH_BARS('KEYS[6]'),
  `local newest = redis.call('HGET', KEYS[5], ARGV[7])`,
  `if newest == 'closed' then return {'stage_closed'} end`,
  `if newest and newest ~= 'empty' and (ARGV[8] == 'empty' or newest > ARGV[8]) then return {'runtime_changed'} end`,
  `local bar = find_bar(KEYS[7], tonumber(ARGV[10]), tonumber(ARGV[11]), 12)`,
  `if bar then return bar end`,
  `if redis.call('HEXISTS', KEYS[3], ARGV[5]) == 1 then return {'ok'} end`,
  `if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[9]) then return {'player_full'} end`,
  `add(KEYS[3], KEYS[8], KEYS[9], ARGV[4], ARGV[5], ARGV[6])`,
  `redis.call('SADD', KEYS[4], ARGV[4])`,
  `return {'ok'}`,
);

/** Keys: era, barred, bars. Parameters: era, now, when the player signed in, names of bars. Replies as REGISTER does. */
export const FIND_BAR = script(
  'find_bar',
  FIND_BAR_AMONG,
  IN_ERA,
  WITH_BARS('KEYS[2]'),
  `return find_bar(KEYS[3], tonumber(ARGV[2]), tonumber(ARGV[3]), 4) or {'ok'}`,
);

/**
 * Sets and lifts bars, and forgets a few that have ended. Keys: era, links, bars, barends, barred. Parameters: era, node,
 * link, now, until when those that have ended are forgotten, then for each bar its name, version, value and when it may be
 * forgotten, or nothing. A version that is not newer than the known one changes nothing. Replies with 1 if the era has all
 * bars, with 1 if a bar that held was replaced, and with the known version that is newer, or an empty text.
 */
export const SET_BARS = script(
  'set_bars',
  IN_ERA,
  ON_LINK,
  `local held = '0'`,
  `local newer = ''`,
  `for i = 6, #ARGV, 4 do`,
  `  local known = redis.call('HGET', KEYS[3], ARGV[i])`,
  `  local version = known and string.match(known, '^%d+')`,
  `  if version and tonumber(version) > tonumber(ARGV[i + 1]) then newer = version end`,
  `  if not version or tonumber(version) < tonumber(ARGV[i + 1]) then`,
  `    local ends = known and string.match(known, '^%d+|set|(%d*)|')`,
  `    if ends and (ends == '' or tonumber(ends) > tonumber(ARGV[4])) then held = '1' end`,
  `    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])`,
  `    if ARGV[i + 3] == '' then redis.call('ZREM', KEYS[4], ARGV[i])`,
  `    else redis.call('ZADD', KEYS[4], ARGV[i + 3], ARGV[i]) end`,
  `  end`,
  `end`,
  `for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[5], 'LIMIT', 0, 20)) do`,
  `  redis.call('HDEL', KEYS[3], name)`,
  `  redis.call('ZREM', KEYS[4], name)`,
  `end`,
  `return {'ok', tostring(redis.call('EXISTS', KEYS[5])), held, newer}`,
);

/** The era has every bar from now on. Keys: era, links, barred. Parameters: era, node, link. */
export const BARRED = script('barred', IN_ERA, ON_LINK, `redis.call('SET', KEYS[3], '1')`, `return {'ok'}`);

/** Lists connections again that an earlier era listed, whatever their number. */
export const RESTORE = script(
  'restore',
  KEEP_STAGE,
  IN_ERA,
  ON_LINK,
  `for i = 4, #KEYS, 3 do`,
  `  add(KEYS[i], KEYS[i + 1], KEYS[i + 2], ARGV[i], ARGV[i + 1], ARGV[i + 2])`,
  `  redis.call('SADD', KEYS[3], ARGV[i])`,
  `end`,
  `return {'ok'}`,
);

/** Deletes a player from a node's index when none of the node's entries is left. */
const FORGET_OWN = `local function forget(key, index, player, node)
  for _, value in ipairs(redis.call('HVALS', key)) do
    if owner(value) == node then return end
  end
  redis.call('SREM', index, player)
end`;

/** Keys: era, links, player, index, stage, counts. Parameters: era, node, link, player, connection ids. */
export const UNREGISTER = script(
  'unregister',
  KEEP_STAGE,
  FORGET_OWN,
  IN_ERA,
  ON_LINK,
  `for i = 5, #ARGV do`,
  `  local value = redis.call('HGET', KEYS[3], ARGV[i])`,
  `  if value and owner(value) == ARGV[2] then remove(KEYS[3], KEYS[6], ARGV[i], value) end`,
  `end`,
  `unlist(KEYS[3], KEYS[5], ARGV[4])`,
  `forget(KEYS[3], KEYS[4], ARGV[4], ARGV[2])`,
  `return {'ok'}`,
);

/**
 * Keys: era, touch, player, links. Parameters: era, nodes. It writes, so that a primary which has lost its replicas refuses
 * it. Replies with how many of the nodes are dead for good, with those, and with each connection id and its value.
 */
export const LIST = script(
  'list',
  IN_ERA,
  `redis.call('SET', KEYS[2], '1')`,
  `local reply = {'ok', '0'}`,
  `for i = 2, #ARGV do`,
  `  if redis.call('HGET', KEYS[4], ARGV[i]) == 'dead' then reply[#reply + 1] = ARGV[i] end`,
  `end`,
  `reply[2] = tostring(#reply - 2)`,
  `for _, text in ipairs(redis.call('HGETALL', KEYS[3])) do reply[#reply + 1] = text end`,
  `return reply`,
);

/** Refuses while a node is there that does not keep the lists and counts of stages: they have gaps then. */
const WITH_LISTERS = (nodes: string, listers: string) => `for _, node in ipairs(redis.call('HKEYS', ${nodes})) do
  if redis.call('SISMEMBER', ${listers}, node) == 0 then return {'unlisted'} end
end`;

/**
 * Keys: era, touch, stage, nodes, listers. Parameters: era, the ends of a range of ids as ZRANGEBYLEX has them, a
 * number. Replies with at most that number of ids of the stage's players, in order.
 */
export const STAGE_PLAYERS = script(
  'stage_players',
  IN_ERA,
  `redis.call('SET', KEYS[2], '1')`,
  WITH_LISTERS('KEYS[4]', 'KEYS[5]'),
  `local reply = {'ok'}`,
  `local ids = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[2], ARGV[3], 'LIMIT', 0, tonumber(ARGV[4]))`,
  `for _, id in ipairs(ids) do reply[#reply + 1] = id end`,
  `return reply`,
);

/**
 * Keys: era, touch, stage, then players. Parameters: era, then the ids of the same players. Replies for each with the
 * number of entries, and with each connection id and its value. A player without entries is removed from the stage's
 * list, where a node of an earlier version may have left the id.
 */
export const PLAYERS_ENTRIES = script(
  'players_entries',
  IN_ERA,
  `redis.call('SET', KEYS[2], '1')`,
  `local reply = {'ok'}`,
  `for i = 4, #KEYS do`,
  `  local entries = redis.call('HGETALL', KEYS[i])`,
  `  if #entries == 0 then redis.call('ZREM', KEYS[3], ARGV[i - 2]) end`,
  `  reply[#reply + 1] = tostring(#entries / 2)`,
  `  for _, text in ipairs(entries) do reply[#reply + 1] = text end`,
  `end`,
  `return reply`,
);

/**
 * Keys: era, touch, stage, counts, nodes, listers, links. Parameters: era. Replies with the number of players, and with each
 * pair of a node that is not dead and a runtime, and how many entries have both.
 */
export const STAGE_COUNTS = script(
  'stage_counts',
  IN_ERA,
  `redis.call('SET', KEYS[2], '1')`,
  WITH_LISTERS('KEYS[5]', 'KEYS[6]'),
  `local reply = {'ok', tostring(redis.call('ZCARD', KEYS[3]))}`,
  `local counts = redis.call('HGETALL', KEYS[4])`,
  `for i = 1, #counts, 2 do`,
  `  if redis.call('HGET', KEYS[7], string.match(counts[i], '^[^|]*')) ~= 'dead' then`,
  `    reply[#reply + 1] = counts[i]`,
  `    reply[#reply + 1] = counts[i + 1]`,
  `  end`,
  `end`,
  `return reply`,
);

/** Keys: era, facts. Parameters: era. Replies with each node and its facts. */
export const NODES = script(
  'nodes',
  IN_ERA,
  `local reply = {'ok'}`,
  `for _, text in ipairs(redis.call('HGETALL', KEYS[2])) do reply[#reply + 1] = text end`,
  `return reply`,
);

/**
 * Declares a node dead for good unless it has renewed since. Keys: era, links, nodes, facts, dead. Parameters: era, node,
 * the sequence number that it has been seen with for too long, or nothing when it is known to have stopped.
 */
export const BURY = script(
  'bury',
  IN_ERA,
  `local sequence = redis.call('HGET', KEYS[3], ARGV[2])`,
  `if ARGV[3] ~= '' and sequence and sequence ~= ARGV[3] then return {'alive'} end`,
  `if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'ok'} end`,
  `redis.call('HSET', KEYS[2], ARGV[2], 'dead')`,
  `redis.call('HDEL', KEYS[3], ARGV[2])`,
  `redis.call('HDEL', KEYS[4], ARGV[2])`,
  `redis.call('SADD', KEYS[5], ARGV[2])`,
  `return {'ok'}`,
);

/** Keys: era, a set. Parameters: era, a number. Replies with at most that number of members of the set. */
export const SAMPLE = script(
  'sample',
  IN_ERA,
  `local reply = {'ok'}`,
  `for _, text in ipairs(redis.call('SRANDMEMBER', KEYS[2], tonumber(ARGV[2]))) do reply[#reply + 1] = text end`,
  `return reply`,
);

/**
 * Deletes a dead node's entries. Keys: era, index, then player, stage and counts for each player. Parameters: era, node, then
 * the same players.
 */
export const SWEEP = script(
  'sweep',
  KEEP_STAGE,
  IN_ERA,
  `for i = 3, #KEYS, 3 do`,
  `  local player = ARGV[3 + (i - 3) / 3]`,
  `  local entries = redis.call('HGETALL', KEYS[i])`,
  `  for j = 1, #entries, 2 do`,
  `    if owner(entries[j + 1]) == ARGV[2] then remove(KEYS[i], KEYS[i + 2], entries[j], entries[j + 1]) end`,
  `  end`,
  `  unlist(KEYS[i], KEYS[i + 1], player)`,
  `  redis.call('SREM', KEYS[2], player)`,
  `end`,
  `return {'ok'}`,
);

/** A member leaves a set. Keys: era, the set, then keys that are deleted with it. Parameters: era, members. */
export const FORGET = script(
  'forget',
  IN_ERA,
  `for i = 3, #KEYS do redis.call('UNLINK', KEYS[i]) end`,
  `for i = 2, #ARGV do redis.call('SREM', KEYS[2], ARGV[i]) end`,
  `return {'ok'}`,
);

/** Keys: era, a hash. Parameters: era. Replies with the fields of the hash. */
export const FIELDS = script(
  'fields',
  IN_ERA,
  `local reply = {'ok'}`,
  `for _, text in ipairs(redis.call('HKEYS', KEYS[2])) do reply[#reply + 1] = text end`,
  `return reply`,
);

/**
 * A closed stage stays so until it is forgotten. Keys: era, stages, announced. Parameters: era, stage id, `closed` or a runtime,
 * when that may be forgotten, until when what was announced earlier is forgotten, of which a few are.
 */
export const ANNOUNCE = script(
  'announce',
  IN_ERA,
  `local newest = redis.call('HGET', KEYS[2], ARGV[2])`,
  `if ARGV[3] == 'closed' or not newest or (newest ~= 'closed' and ARGV[3] > newest) then`,
  `  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])`,
  `end`,
  `redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])`,
  `for _, stage in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[5], 'LIMIT', 0, 20)) do`,
  `  redis.call('HDEL', KEYS[2], stage)`,
  `  redis.call('ZREM', KEYS[3], stage)`,
  `end`,
  `return {'ok'}`,
);

/** Keys: era, recovered. Parameters: era. */
export const RECOVERED = script('recovered', IN_ERA, `redis.call('SET', KEYS[2], '1')`, `return {'ok'}`);

/**
 * The node leaves; entries that it has not unregistered are swept. Keys: era, links, nodes, facts, dead. Parameters:
 * era, node, link.
 */
export const LEAVE = script(
  'leave',
  IN_ERA,
  ON_LINK,
  `redis.call('HSET', KEYS[2], ARGV[2], 'dead')`,
  `redis.call('HDEL', KEYS[3], ARGV[2])`,
  `redis.call('HDEL', KEYS[4], ARGV[2])`,
  `redis.call('SADD', KEYS[5], ARGV[2])`,
  `return {'ok'}`,
);
