import type { Script } from './link.ts';

export const script = (name: string, ...lines: string[]): Script => ({ name, lua: lines.join('\n') });

/** Refuses a caller that means another era. */
export const IN_ERA = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'era_changed'} end`;

/**
 * Refuses a caller whose node is dead, or has connected again since: what an old connection still brings comes too
 * late.
 */
export const ON_LINK = `local link = redis.call('HGET', KEYS[2], ARGV[2])
if link == 'dead' then return {'dead'} end
if link ~= ARGV[3] then return {'link_replaced'} end`;

/** Updates a stage's list and counts in the step that changes the entries of one of its players. */
export const KEEP_STAGE = `local function owner(value) return string.match(value, '^[^|]*') end
local function id_of(player) return string.sub(player, string.find(player, ':', 1, true) + 1) end
local function count(counts, value, by)
  local node, runtime = string.match(value, '^([^|]*)|[^|]*|(.*)$')
  local field = node .. '|' .. runtime
  if redis.call('HINCRBY', counts, field, by) <= 0 then redis.call('HDEL', counts, field) end
end
local function add(key, stage, counts, player, connection, value)
  if redis.call('HSET', key, connection, value) == 0 then return end
  count(counts, value, 1)
  redis.call('ZADD', stage, 0, id_of(player))
end
local function remove(key, counts, connection, value)
  redis.call('HDEL', key, connection)
  count(counts, value, -1)
end
local function unlist(key, stage, player)
  if redis.call('EXISTS', key) == 0 then redis.call('ZREM', stage, id_of(player)) end
end`;
