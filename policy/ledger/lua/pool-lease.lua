-- Which unit of a pool a login is given, and the blocks that nodes keep for when the store is away. lua/leases.lua says how leases are kept.
local DUE_AT_ONCE = 4 -- each lease ends so many others that are due: they never pile up
local DUE_WHEN_FULL = 32 -- and so many when nothing else is free
local MOST_AHEAD = 64 -- units looked at in one command
local MOST_SKIPPED = 512 -- units in a row that sessions hold which no lease was given for

local l = ledger.leases
local HELD, LIVE, BLOCK, FREE = l.HELD, l.LIVE, l.BLOCK, l.FREE
local pool_of, range_of, read, take, keep, expire = l.pool_of, l.range_of, l.read, l.take, l.keep, l.expire

-- What a lease must know of the pool, read once however many logins of a call draw from it. `terms`: look (nothing is written), seen, cool,
-- settle, ranges. `places`: by range the next unit that was never used; `moved`: what of them is to be written.
local function load(id, terms)
  local pool = pool_of(id)
  local names = { 'seq', 'recover', 'lost', 'long', 'last' }
  for _, range in ipairs(terms.ranges) do
    names[#names + 1] = 'c:' .. range.id
    names[#names + 1] = 'r:' .. range.id
    names[#names + 1] = 'w:' .. range.id
  end
  local found = redis.call('HMGET', pool.base, unpack(names))
  local seq = tonumber(found[1] or '0')
  local state = { terms = terms, seq = seq, kept = seq, till = tonumber(found[2] or '0'), lost = tonumber(found[3] or '0'),
    long = found[4] == '1', last = tonumber(found[5] or '0'), places = {}, moved = {}, names = {}, many = 1 }
  for i = 1, #terms.ranges do
    local c, r = tonumber(found[3 + 3 * i] or '0'), tonumber(found[4 + 3 * i] or '0')
    state.places[i] = { c = c, r = math.max(c, r) }
    -- Sessions may have units of it that nobody knows of yet.
    if terms.ranges[i].new and not found[5 + 3 * i] then state.places[i].closed, state.unsure = true, true end
  end
  return pool, state
end

-- The store is an older one than the caller has seen: up to `seen - seq` leases are unknown here. For a while only what nobody can have
-- got meanwhile is given: never-used units behind those that may be gone, and to a subscription of one session what it had last, unless it
-- was among the units that would have been given next. Meanwhile the lanes bring the sessions back, and with them their leases.
-- `lost`: how many leases; `long`: there was time for a unit to pass to another subscription.
local function recover(pool, state, now)
  local terms = state.terms
  state.recovering = state.till > now
  local missing = terms.seen - state.seq
  if missing <= 0 then return end
  state.long = state.recovering and state.long or now - state.last >= terms.cool
  state.lost = (state.recovering and state.lost or 0) + missing
  local set = {}
  for i, range in ipairs(terms.ranges) do
    local place = state.places[i]
    place.r = math.min(range.size, (state.recovering and place.r or place.c) + missing)
    set[2 * i - 1], set[2 * i] = 'r:' .. range.id, ledger.text(place.r)
  end
  state.recovering, state.seq, state.kept, state.till = true, terms.seen, terms.seen, now + terms.settle
  if terms.look then return end
  redis.call('HSET', pool.base, 'seq', ledger.text(terms.seen), 'recover', ledger.text(now + terms.settle), 'lost', ledger.text(state.lost),
    'long', state.long and '1' or '0', unpack(set))
  redis.call('HINCRBY', pool.base, 'recoveries', 1)
end

-- Whether the unit at `at` of a range was never used, read for as many as may be wanted.
local function is_new(pool, state, range, place, at)
  if at >= (place.read or 0) then
    local units = {}
    for next = at, math.min(at + math.max(1, state.many), range.size) - 1 do units[#units + 1] = range.id .. ':' .. ledger.text(next) end
    place.from, place.read, place.found = at, at + #units, redis.call('HMGET', pool.u, unpack(units))
  end
  return not place.found[at - place.from + 1]
end

-- A unit that was never used, of the first range that has one.
local function fresh(pool, state)
  local which = state.recovering and 'r' or 'c'
  for i, range in ipairs(state.terms.ranges) do
    local place = state.places[i]
    local from, at, unit = place[which], place[which], nil
    while not unit and not place.closed and at < range.size and at - from < MOST_SKIPPED do
      if is_new(pool, state, range, place, at) then unit = range.id .. ':' .. ledger.text(at) end
      at = at + 1
    end
    if at > from then
      place[which] = at
      state.moved[which .. ':' .. range.id] = at
    end
    if unit then return unit end
  end
end

-- The unit that has been free for longest.
local function used_before(pool, state, now)
  for _, range in ipairs(state.terms.ranges) do
    local found = redis.call('ZRANGEBYSCORE', pool.f .. range.id, '-inf', now, 'LIMIT', 0, 1)
    if found[1] then return found[1], read(pool, found[1]) end
  end
end

local function served(state, unit)
  local wanted = range_of(unit)
  for _, range in ipairs(state.terms.ranges) do
    if range.id == wanted then return true end
  end
  return false
end

-- What `expire` would make free at once.
local function over(pool, state, now)
  for _, unit in ipairs(redis.call('ZRANGEBYSCORE', pool.x, '-inf', now - state.terms.cool, 'LIMIT', 0, DUE_WHEN_FULL)) do
    local r = read(pool, unit)
    if r and (r.state == HELD or r.state == BLOCK) and served(state, unit) then return unit, r end
  end
end

local function pick(pool, state, now)
  local unit, r = fresh(pool, state), nil
  if unit or state.recovering then return unit end
  unit, r = used_before(pool, state, now)
  if not unit and state.terms.look then return over(pool, state, now) end
  if not unit and expire(pool, now, state.terms.cool, DUE_WHEN_FULL) > 0 then unit, r = used_before(pool, state, now) end
  return unit, r
end

-- The same login again: the same unit, unless its range is being drained and its session is to move.
local function again(pool, state, now, ask, unit)
  local r = unit and read(pool, unit)
  if not r or r.sub ~= ask.sub or r.holder ~= ask.holder then return false end
  -- In the part that is lost another session of its own may have got it, without any cool-down.
  if state.recovering and not ask.one and r.at <= state.till - state.terms.settle then return false end
  if r.state == HELD then
    -- A hold that is over may have passed to another one in the part that is lost.
    if state.recovering and tonumber(redis.call('ZSCORE', pool.x, unit)) <= now then return false end
    if not state.terms.look then
      redis.call('ZADD', pool.x, now + ask.hold, unit)
      -- A hold that was made longer is missed in an older copy like one that was begun.
      state.seq = state.seq + 1
    end
    return true
  end
  return r.state == LIVE and served(state, unit) and not (state.recovering and state.long)
end

-- What the subscription had last, if nobody has it since. Of one of several sessions it is certain only that it ended when it began: its
-- Start may be on its way, and in the part that is lost another one may have got it.
local function sticky(pool, state, now, ask, unit)
  if not unit or not served(state, unit) then return nil end
  local r = read(pool, unit)
  if not r or r.state ~= FREE or r.sub ~= ask.sub then return nil end
  local free_at = tonumber(redis.call('ZSCORE', pool.f .. range_of(unit), unit) or '')
  if not free_at then return nil end
  if not ask.one and (state.recovering or r.session == '' and free_at > now) then return nil end
  if state.recovering and redis.call('ZRANK', pool.f .. range_of(unit), unit) < state.lost then return nil end
  return unit, r
end

-- A pool that logins of this call draw from, and what it answers each: see ledger.lease. `keep` at the end of the call.
function ledger.draw(now, id, terms)
  local pool, state = load(id, terms)
  recover(pool, state, now)
  -- Units of holders (`h…`) and last ones of subscriptions (`s…`): what a name stands for is made sure of by the record of the unit.
  for n, unit in ipairs(redis.call('HMGET', pool.i, unpack(terms.asked))) do state.names[terms.asked[n]] = unit end
  state.many = math.min(#terms.asked / 2, MOST_AHEAD)
  return {
    lease = function(ask) return ledger.lease(now, pool, state, ask) end,
    keep = function() keep(pool, state, now) end,
  }
end

-- `ask`: sub, holder, one, hold. When the pool is only looked at: which unit it would be.
-- → {'leased', unit, sequence}, {'exhausted', '', sequence}, or {'recovering', '', sequence}: what is free is not known yet
function ledger.lease(now, pool, state, ask)
  local look = state.terms.look
  local of_holder, of_sub = 'h' .. ask.holder, 's' .. ask.sub
  local mine, last = state.names[of_holder], state.names[of_sub]
  -- Given to a login of the same call.
  if pool.given[mine] or pool.given[last] then keep(pool, state, now) end
  if again(pool, state, now, ask, mine) then return { 'leased', mine, state.seq } end
  if not look and not state.swept then state.swept = expire(pool, now, state.terms.cool, DUE_AT_ONCE) < DUE_AT_ONCE end
  local unit, r = sticky(pool, state, now, ask, last)
  if not unit then unit, r = pick(pool, state, now) end
  local unknown = state.recovering or state.unsure
  if look then return { unit and 'leased' or unknown and 'recovering' or 'exhausted', unit or '', state.seq } end
  if not unit then
    if unknown then return { 'recovering', '', state.seq } end
    redis.call('HINCRBY', pool.base, 'exhausted', 1)
    return { 'exhausted', '', state.seq }
  end
  take(pool, state, unit, r, HELD, now, ask.sub, ask.holder, now + ask.hold)
  state.names[of_holder], state.names[of_sub] = unit, unit
  return { 'leased', unit, state.seq }
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
  local now, node, till, want = tonumber(args[2]), args[3], tonumber(args[4]), tonumber(args[5])
  local terms = { cool = tonumber(args[6]), settle = tonumber(args[7]), seen = tonumber(args[8]), ranges = ledger.ranges(args[9]) }
  local pool, state = load(args[1], terms)
  recover(pool, state, now)
  state.many = math.min(want, MOST_AHEAD)
  expire(pool, now, terms.cool, DUE_AT_ONCE + want)
  for _, unit in ipairs(redis.call('SMEMBERS', pool.base .. ':b:' .. node)) do redis.call('ZADD', pool.x, 'XX', till, unit) end
  for _ = 1, want do
    local unit, r = pick(pool, state, now)
    if not unit then break end
    take(pool, state, unit, r, BLOCK, now, '', node, till)
  end
  keep(pool, state, now)
  return { state.seq, unpack(redis.call('SMEMBERS', pool.base .. ':b:' .. node)) }
end

ledger.register('pool_block', block)
