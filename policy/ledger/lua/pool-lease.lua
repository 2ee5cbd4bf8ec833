-- Which unit of a pool a login is given, and the blocks that nodes keep for when the store is away. lua/leases.lua says how leases are kept.
local DUE_AT_ONCE = 4 -- each lease ends so many others that are due: they never pile up
local DUE_WHEN_FULL = 32 -- and so many when nothing else is free
local MOST_SKIPPED = 512 -- units in a row that sessions hold which no lease was given for

local l = ledger.leases
local HELD, LIVE, BLOCK, FREE = l.HELD, l.LIVE, l.BLOCK, l.FREE
local pool_of, range_of, read, take, expire = l.pool_of, l.range_of, l.read, l.take, l.expire

-- What a lease must know of the pool: `places`, by range the next unit that was never used; `moved`: what of them is to be written.
local function load(pool, ask)
  local names = { 'seq', 'recover', 'lost', 'long', 'last' }
  for _, range in ipairs(ask.ranges) do
    names[#names + 1] = 'c:' .. range.id
    names[#names + 1] = 'r:' .. range.id
    names[#names + 1] = 'w:' .. range.id
  end
  local found = redis.call('HMGET', pool.base, unpack(names))
  local state = { seq = tonumber(found[1] or '0'), till = tonumber(found[2] or '0'), lost = tonumber(found[3] or '0'),
    long = found[4] == '1', last = tonumber(found[5] or '0'), places = {}, moved = {} }
  for i = 1, #ask.ranges do
    local c, r = tonumber(found[3 + 3 * i] or '0'), tonumber(found[4 + 3 * i] or '0')
    state.places[i] = { c = c, r = math.max(c, r) }
    -- Sessions may have units of it that nobody knows of yet.
    if ask.ranges[i].new and not found[5 + 3 * i] then state.places[i].closed, state.unsure = true, true end
  end
  return state
end

-- The store is an older one than the caller has seen: up to `seen - seq` leases are unknown here. For a while only what nobody can have
-- got meanwhile is given: never-used units behind those that may be gone, and to a subscription of one session what it had last, unless it
-- was among the units that would have been given next. Meanwhile the lanes bring the sessions back, and with them their leases.
-- `lost`: how many leases; `long`: there was time for a unit to pass to another subscription.
local function recover(pool, state, now, ask)
  state.recovering = state.till > now
  local missing = ask.seen - state.seq
  if missing <= 0 then return end
  state.long = state.recovering and state.long or now - state.last >= ask.cool
  state.lost = (state.recovering and state.lost or 0) + missing
  local set = {}
  for i, range in ipairs(ask.ranges) do
    local place = state.places[i]
    place.r = math.min(range.size, (state.recovering and place.r or place.c) + missing)
    set[2 * i - 1], set[2 * i] = 'r:' .. range.id, ledger.text(place.r)
  end
  state.recovering, state.seq, state.till = true, ask.seen, now + ask.settle
  if ask.look then return end
  redis.call('HSET', pool.base, 'seq', ledger.text(ask.seen), 'recover', ledger.text(now + ask.settle), 'lost', ledger.text(state.lost),
    'long', state.long and '1' or '0', unpack(set))
  redis.call('HINCRBY', pool.base, 'recoveries', 1)
end

-- A unit that was never used, of the first range that has one.
local function fresh(pool, state, ask)
  local which = state.recovering and 'r' or 'c'
  for i, range in ipairs(ask.ranges) do
    local place = state.places[i]
    local from, at, unit = place[which], place[which], nil
    while not unit and not place.closed and at < range.size and at - from < MOST_SKIPPED do
      local next = range.id .. ':' .. ledger.text(at)
      at = at + 1
      if redis.call('HEXISTS', pool.u, next) == 0 then unit = next end
    end
    if at > from then
      place[which] = at
      state.moved[#state.moved + 1] = which .. ':' .. range.id
      state.moved[#state.moved + 1] = ledger.text(at)
    end
    if unit then return unit end
  end
end

-- The unit that has been free for longest.
local function used_before(pool, now, ask)
  for _, range in ipairs(ask.ranges) do
    local found = redis.call('ZRANGEBYSCORE', pool.f .. range.id, '-inf', now, 'LIMIT', 0, 1)
    if found[1] then return found[1], read(pool, found[1]) end
  end
end

local function served(ask, unit)
  local wanted = range_of(unit)
  for _, range in ipairs(ask.ranges) do
    if range.id == wanted then return true end
  end
  return false
end

-- What `expire` would make free at once.
local function over(pool, now, ask)
  for _, unit in ipairs(redis.call('ZRANGEBYSCORE', pool.x, '-inf', now - ask.cool, 'LIMIT', 0, DUE_WHEN_FULL)) do
    local r = read(pool, unit)
    if r and (r.state == HELD or r.state == BLOCK) and served(ask, unit) then return unit, r end
  end
end

local function pick(pool, state, now, ask)
  local unit, r = fresh(pool, state, ask), nil
  if unit or state.recovering then return unit end
  unit, r = used_before(pool, now, ask)
  if not unit and ask.look then return over(pool, now, ask) end
  if not unit and expire(pool, now, ask.cool, DUE_WHEN_FULL) > 0 then unit, r = used_before(pool, now, ask) end
  return unit, r
end

-- The same login again: the same unit, unless its range is being drained and its session is to move.
local function again(pool, state, now, ask, unit)
  local r = unit and read(pool, unit)
  if not r or r.sub ~= ask.sub or r.holder ~= ask.holder then return false end
  -- In the part that is lost another session of its own may have got it, without any cool-down.
  if state.recovering and not ask.one and r.at <= state.till - ask.settle then return false end
  if r.state == HELD then
    -- A hold that is over may have passed to another one in the part that is lost.
    if state.recovering and tonumber(redis.call('ZSCORE', pool.x, unit)) <= now then return false end
    if not ask.look then
      redis.call('ZADD', pool.x, now + ask.hold, unit)
      -- A hold that was made longer is missed in an older copy like one that was begun.
      state.seq = state.seq + 1
      redis.call('HSET', pool.base, 'seq', ledger.text(state.seq))
    end
    return true
  end
  return r.state == LIVE and served(ask, unit) and not (state.recovering and state.long)
end

-- What the subscription had last, if nobody has it since. Of one of several sessions it is certain only that it ended when it began: its
-- Start may be on its way, and in the part that is lost another one may have got it.
local function sticky(pool, state, now, ask, unit)
  if not unit or not served(ask, unit) then return nil end
  local r = read(pool, unit)
  if not r or r.state ~= FREE or r.sub ~= ask.sub then return nil end
  if not ask.one and (state.recovering or r.session == '' and tonumber(redis.call('ZSCORE', pool.f .. range_of(unit), unit)) > now) then return nil end
  if state.recovering and redis.call('ZRANK', pool.f .. range_of(unit), unit) < state.lost then return nil end
  return unit, r
end

-- `look`: which unit it would be, and nothing is written.
-- → {'leased', unit, sequence}, {'exhausted', '', sequence}, or {'recovering', '', sequence}: what is free is not known yet
function ledger.lease(now, ask)
  local pool = pool_of(ask.id)
  local state = load(pool, ask)
  recover(pool, state, now, ask)
  local mine, last = unpack(redis.call('HMGET', pool.i, 'h' .. ask.holder, 's' .. ask.sub))
  if again(pool, state, now, ask, mine) then return { 'leased', mine, state.seq } end
  if not ask.look then expire(pool, now, ask.cool, DUE_AT_ONCE) end
  local unit, r = sticky(pool, state, now, ask, last)
  if not unit then unit, r = pick(pool, state, now, ask) end
  local unknown = state.recovering or state.unsure
  if ask.look then return { unit and 'leased' or unknown and 'recovering' or 'exhausted', unit or '', state.seq } end
  if not unit then
    redis.call('HSET', pool.base, 'seq', ledger.text(state.seq), unpack(state.moved))
    if unknown then return { 'recovering', '', state.seq } end
    redis.call('HINCRBY', pool.base, 'exhausted', 1)
    return { 'exhausted', '', state.seq }
  end
  return { 'leased', unit, take(pool, state, unit, r, HELD, now, ask.sub, ask.holder, now + ask.hold) }
end

-- `<range>,<size>;…`; `<range>,<size>,new;`: it must have been looked through
function ledger.ranges(text)
  local ranges = {}
  for id, size, new in string.gmatch(text, '(%d+),(%d+)([^;]*);') do
    ranges[#ranges + 1] = { id = id, size = tonumber(size), new = new ~= '' }
  end
  return ranges
end

-- KEYS base; ARGV id now node till want cool settle seen ranges → {sequence, every unit of the block...}
-- Renews the block of a node and adds to it what is wanted: units to hand out while the store is away.
local function block(_, args)
  local pool, now, node, till, want = pool_of(args[1]), tonumber(args[2]), args[3], tonumber(args[4]), tonumber(args[5])
  local ask = { seen = tonumber(args[8]), cool = tonumber(args[6]), settle = tonumber(args[7]), ranges = ledger.ranges(args[9]) }
  local state = load(pool, ask)
  recover(pool, state, now, ask)
  expire(pool, now, ask.cool, DUE_AT_ONCE + want)
  for _, unit in ipairs(redis.call('SMEMBERS', pool.base .. ':b:' .. node)) do redis.call('ZADD', pool.x, 'XX', till, unit) end
  for _ = 1, want do
    local unit, r = pick(pool, state, now, ask)
    if not unit then break end
    take(pool, state, unit, r, BLOCK, now, '', node, till)
  end
  return { state.seq, unpack(redis.call('SMEMBERS', pool.base .. ':b:' .. node)) }
end

ledger.register('pool_block', block)
