-- Leases of address pools. A unit `<range>:<offset>` is one address or prefix; what it is called outside, callers know.
-- Keys of a pool, all in the slot of its base `{pool:<id>}`:
--   base: hash of counts and places (seq last exhausted conflicts; recover lost long recoveries: see recover(); by range: c: next never
--         used, r: the same while recovering, n: in use, w: looked through for sessions that have units of it already)
--   :u unit → its record; :i `h<holder>` → its unit, `s<subscription>` → its last unit; :b:<node> set of units of a node's block
--   :x zset of units that are held or in a block, by when that ends; :l zset of live units by when their session is to be looked at
--   :f:<range> zset of units that were used and are free again, by when another subscription may have them
-- A record is `<state>|<instant>|<subscription>|<holder>|<incarnation>|<session key>`; states: held, live, block, free.
-- Nothing is searched: a lease looks at a few entries whatever the pool's size and fill.
local HELD, LIVE, BLOCK, FREE = 'h', 'l', 'b', 'f'

local function base_of(id)
  if not string.find(id, '^%d+$') then error({ err = 'ERR a pool has no number' }) end
  return '{pool:' .. id .. '}'
end

local function pool_of(id)
  local base = base_of(id)
  return { base = base, u = base .. ':u', i = base .. ':i', x = base .. ':x', l = base .. ':l', f = base .. ':f:' }
end

local function range_of(unit)
  return string.match(unit, '^(%d+):%d+$') or error({ err = 'ERR a unit of a pool is wrong' })
end

local function read(pool, unit)
  local text = redis.call('HGET', pool.u, unit)
  if not text then return nil end
  local r = {}
  r.state, r.at, r.sub, r.holder, r.inc, r.session = string.match(text, '^(.)|(%d+)|(%d*)|([^|]*)|(%d*)|(.*)$')
  r.at, r.inc = tonumber(r.at), tonumber(r.inc ~= '' and r.inc or '0')
  return r
end

local function write(pool, unit, r)
  redis.call('HSET', pool.u, unit,
    r.state .. '|' .. ledger.text(r.at) .. '|' .. r.sub .. '|' .. r.holder .. '|' .. ledger.text(r.inc) .. '|' .. r.session)
end

local function count(pool, unit, by)
  redis.call('HINCRBY', pool.base, 'n:' .. range_of(unit), by)
end

-- Another subscription has the unit: it is its last one no more.
local function forget_last(pool, unit, r, sub)
  if r.sub ~= sub and r.sub ~= '' and redis.call('HGET', pool.i, 's' .. r.sub) == unit then redis.call('HDEL', pool.i, 's' .. r.sub) end
end

local function forget_holder(pool, unit, r)
  if r.holder == '' then return end
  if r.state == BLOCK then
    redis.call('SREM', pool.base .. ':b:' .. r.holder, unit)
  elseif redis.call('HGET', pool.i, 'h' .. r.holder) == unit then
    redis.call('HDEL', pool.i, 'h' .. r.holder)
  end
end

-- Free for its last subscription at once, for others from `from` on.
local function release(pool, unit, r, from)
  forget_holder(pool, unit, r)
  redis.call('ZREM', pool.x, unit)
  redis.call('ZREM', pool.l, unit)
  redis.call('ZADD', pool.f .. range_of(unit), from, unit)
  r.state, r.holder = FREE, ''
  write(pool, unit, r)
  count(pool, unit, -1)
end

-- `r`: the record of the unit before, if it has one. Every lease counts `seq` up: whoever has seen a higher number knows that leases were
-- lost.
local function take(pool, state, unit, r, held, now, sub, holder, till)
  if r then
    redis.call('ZREM', pool.f .. range_of(unit), unit)
    forget_last(pool, unit, r, sub)
  end
  write(pool, unit, { state = held, at = now, sub = sub, holder = holder, inc = 0, session = '' })
  redis.call('ZADD', pool.x, till, unit)
  count(pool, unit, 1)
  if held == HELD then
    redis.call('HSET', pool.i, 'h' .. holder, unit, 's' .. sub, unit)
  else
    redis.call('SADD', pool.base .. ':b:' .. holder, unit)
  end
  state.seq = state.seq + 1
  redis.call('HSET', pool.base, 'seq', ledger.text(state.seq), 'last', now, unpack(state.moved))
  state.moved = {}
  return state.seq
end

-- Holds that no session confirmed, and blocks that their node did not renew; answers how many there were of up to `most`.
local function expire(pool, now, cool, most)
  local due = redis.call('ZRANGEBYSCORE', pool.x, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  for i = 1, #due, 2 do
    local unit, ended = due[i], tonumber(due[i + 1])
    local r = read(pool, unit)
    if r and (r.state == HELD or r.state == BLOCK) then
      release(pool, unit, r, ended + cool)
    else
      redis.call('ZREM', pool.x, unit)
    end
  end
  return #due / 2
end

ledger.leases = { HELD = HELD, LIVE = LIVE, BLOCK = BLOCK, FREE = FREE, pool_of = pool_of, range_of = range_of, read = read, write = write,
  count = count, forget_last = forget_last, forget_holder = forget_holder, release = release, take = take, expire = expire }
