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
local MOST_KEPT_BACK = 64
local keep

local function base_of(id)
  if not string.find(id, '^%d+$') then error({ err = 'ERR a pool has no number' }) end
  return '{pool:' .. id .. '}'
end

local function pool_of(id)
  local base = base_of(id)
  return { base = base, u = base .. ':u', i = base .. ':i', x = base .. ':x', l = base .. ':l', f = base .. ':f:', taken = {}, given = {} }
end

local function range_of(unit)
  return string.match(unit, '^(%d+):%d+$') or error({ err = 'ERR a unit of a pool is wrong' })
end

local function read(pool, unit)
  if pool.given[unit] then return pool.given[unit] end
  local text = redis.call('HGET', pool.u, unit)
  if not text then return nil end
  local r = {}
  r.state, r.at, r.sub, r.holder, r.inc, r.session = string.match(text, '^(.)|(%d+)|(%d*)|([^|]*)|(%d*)|(.*)$')
  r.at, r.inc = tonumber(r.at), tonumber(r.inc ~= '' and r.inc or '0')
  return r
end

local function record(r)
  return r.state .. '|' .. ledger.text(r.at) .. '|' .. r.sub .. '|' .. r.holder .. '|' .. ledger.text(r.inc) .. '|' .. r.session
end

local function write(pool, unit, r)
  redis.call('HSET', pool.u, unit, record(r))
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
-- lost. What a lease writes is kept back until `keep`, once for all of a call; `given`: what the records of these units will be.
local function take(pool, state, unit, r, held, now, sub, holder, till)
  if r then
    redis.call('ZREM', pool.f .. range_of(unit), unit)
    forget_last(pool, unit, r, sub)
  end
  if #pool.taken >= MOST_KEPT_BACK then keep(pool, state, now) end
  local given = { state = held, at = now, sub = sub, holder = holder, inc = 0, session = '' }
  pool.taken[#pool.taken + 1] = { unit = unit, till = till, given = given }
  pool.given[unit] = given
  state.seq = state.seq + 1
end

-- Writes what was taken, and how far the pool got.
function keep(pool, state, now)
  local records, tills, names, counts = {}, {}, {}, {}
  for n, t in ipairs(pool.taken) do
    records[2 * n - 1], records[2 * n] = t.unit, record(t.given)
    tills[2 * n - 1], tills[2 * n] = ledger.text(t.till), t.unit
    local range = range_of(t.unit)
    counts[range] = (counts[range] or 0) + 1
    if t.given.state == HELD then
      local i = #names
      names[i + 1], names[i + 2], names[i + 3], names[i + 4] = 'h' .. t.given.holder, t.unit, 's' .. t.given.sub, t.unit
    else
      redis.call('SADD', pool.base .. ':b:' .. t.given.holder, t.unit)
    end
  end
  if #records > 0 then
    redis.call('HSET', pool.u, unpack(records))
    redis.call('ZADD', pool.x, unpack(tills))
    for range, by in pairs(counts) do redis.call('HINCRBY', pool.base, 'n:' .. range, by) end
  end
  if #names > 0 then redis.call('HSET', pool.i, unpack(names)) end
  if state.seq == state.kept and not next(state.moved) then return end
  local places = {}
  for place, at in pairs(state.moved) do
    places[#places + 1] = place
    places[#places + 1] = ledger.text(at)
  end
  if #records > 0 then
    places[#places + 1] = 'last'
    places[#places + 1] = ledger.text(now)
  end
  redis.call('HSET', pool.base, 'seq', ledger.text(state.seq), unpack(places))
  pool.taken, pool.given, state.moved, state.kept = {}, {}, {}, state.seq
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
  count = count, forget_last = forget_last, forget_holder = forget_holder, release = release, take = take, keep = keep, expire = expire }
