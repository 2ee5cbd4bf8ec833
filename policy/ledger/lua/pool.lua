-- Leases of address pools. A unit `<range>:<offset>` is one address or prefix; what it is called outside, callers know.
-- Keys of a pool, all in the slot of its base `{pool:<id>}`:
--   base: hash of counts and places (seq last used exhausted conflicts; recover lost long recoveries: see recover(); by range: c: next
--         never used, r: the same while recovering, n: in use)
--   :u unit → its record; :h holder → unit; :s subscription → its last unit; :b:<node> set of units of a node's block
--   :x zset of units that are held or in a block, by when that ends; :l zset of live units by when their session is to be looked at
--   :f:<range> zset of units that were used and are free again, by when another subscription may have them
-- A record is `<state>|<instant>|<subscription>|<holder>|<incarnation>|<session key>`; states: held, live, block, free.
-- Nothing is searched: a lease looks at a few entries whatever the pool's size and fill.
local HELD, LIVE, BLOCK, FREE = 'h', 'l', 'b', 'f'
local DUE_AT_ONCE = 4 -- each lease ends so many others that are due: they never pile up
local DUE_WHEN_FULL = 32 -- and so many when nothing else is free
local MOST_SKIPPED = 512 -- units in a row that sessions hold which no lease was given for

local function base_of(id)
  if not string.find(id, '^%d+$') then error({ err = 'ERR a pool has no number' }) end
  return '{pool:' .. id .. '}'
end

local function pool_of(id)
  local base = base_of(id)
  return { base = base, u = base .. ':u', h = base .. ':h', s = base .. ':s', x = base .. ':x', l = base .. ':l', f = base .. ':f:' }
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
  redis.call('HINCRBY', pool.base, 'used', by)
  redis.call('HINCRBY', pool.base, 'n:' .. range_of(unit), by)
end

local function forget_holder(pool, unit, r)
  if r.holder == '' then return end
  if r.state == BLOCK then
    redis.call('SREM', pool.base .. ':b:' .. r.holder, unit)
  elseif redis.call('HGET', pool.h, r.holder) == unit then
    redis.call('HDEL', pool.h, r.holder)
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

-- `r`: the record of the unit before, if it has one.
local function take(pool, unit, r, state, now, sub, holder, till)
  if r then
    redis.call('ZREM', pool.f .. range_of(unit), unit)
    if r.sub ~= sub and r.sub ~= '' and redis.call('HGET', pool.s, r.sub) == unit then redis.call('HDEL', pool.s, r.sub) end
  end
  write(pool, unit, { state = state, at = now, sub = sub, holder = holder, inc = 0, session = '' })
  redis.call('ZADD', pool.x, till, unit)
  count(pool, unit, 1)
  if state == HELD then
    redis.call('HSET', pool.h, holder, unit)
    redis.call('HSET', pool.s, sub, unit)
  else
    redis.call('SADD', pool.base .. ':b:' .. holder, unit)
  end
  redis.call('HSET', pool.base, 'last', now)
  -- Every lease counts one up: whoever has seen a higher number knows that leases were lost.
  return redis.call('HINCRBY', pool.base, 'seq', 1)
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

-- The store is an older one than the caller has seen: up to `seen - seq` leases are unknown here. For a while only what nobody can have
-- got meanwhile is given: never-used units behind those that may be gone, and to a subscription what it had last, unless it was among the
-- units that would have been given next. Meanwhile the lanes bring the sessions back, and with them their leases.
-- → nil, or how many were lost, and whether units had the time to pass to another subscription.
local function recover(pool, now, ask)
  local seq, till, lost, long, last = unpack(redis.call('HMGET', pool.base, 'seq', 'recover', 'lost', 'long', 'last'))
  seq, till, lost = tonumber(seq or '0'), tonumber(till or '0'), tonumber(lost or '0')
  local recovering = till > now
  if ask.seen <= seq then return recovering and { lost = lost, long = long == '1' } or nil end
  local missing = ask.seen - seq
  for _, range in ipairs(ask.ranges) do
    local c, r = unpack(redis.call('HMGET', pool.base, 'c:' .. range.id, 'r:' .. range.id))
    c = tonumber(c or '0')
    r = recovering and math.max(c, tonumber(r or '0')) or c
    redis.call('HSET', pool.base, 'r:' .. range.id, ledger.text(math.min(range.size, r + missing)))
  end
  lost = recovering and lost + missing or missing
  long = recovering and long == '1' or now - tonumber(last or '0') >= ask.cool
  redis.call('HSET', pool.base, 'seq', ledger.text(ask.seen), 'recover', ledger.text(now + ask.settle), 'lost', ledger.text(lost),
    'long', long and '1' or '0')
  redis.call('HINCRBY', pool.base, 'recoveries', 1)
  return { lost = lost, long = long }
end

-- A unit that was never used, of the first range that has one.
local function fresh(pool, ask, recovering)
  local names = {}
  for i, range in ipairs(ask.ranges) do names[i] = (recovering and 'r:' or 'c:') .. range.id end
  if #names == 0 then return nil end
  local places = redis.call('HMGET', pool.base, unpack(names))
  for i, range in ipairs(ask.ranges) do
    local at, skipped = tonumber(places[i] or '0'), 0
    local from = at
    while at < range.size and skipped < MOST_SKIPPED do
      local unit = range.id .. ':' .. ledger.text(at)
      at = at + 1
      if redis.call('HEXISTS', pool.u, unit) == 0 then
        redis.call('HSET', pool.base, names[i], ledger.text(at))
        return unit
      end
      skipped = skipped + 1
    end
    if at > from then redis.call('HSET', pool.base, names[i], ledger.text(at)) end
  end
end

-- The unit that has been free for longest.
local function used_before(pool, now, ask)
  for _, range in ipairs(ask.ranges) do
    local found = redis.call('ZRANGEBYSCORE', pool.f .. range.id, '-inf', now, 'LIMIT', 0, 1)
    if found[1] then return found[1], read(pool, found[1]) end
  end
end

local function pick(pool, now, ask, recovering)
  local unit, r = fresh(pool, ask, recovering), nil
  if unit or recovering then return unit end
  unit, r = used_before(pool, now, ask)
  if not unit and expire(pool, now, ask.cool, DUE_WHEN_FULL) > 0 then unit, r = used_before(pool, now, ask) end
  return unit, r
end

local function served(ask, unit)
  local wanted = range_of(unit)
  for _, range in ipairs(ask.ranges) do
    if range.id == wanted then return true end
  end
  return false
end

-- The same login again: the same unit, unless its range is being drained and its session is to move.
local function again(pool, now, ask, recovering)
  local unit = redis.call('HGET', pool.h, ask.holder)
  if not unit then return nil end
  local r = read(pool, unit)
  if not r or r.sub ~= ask.sub or r.holder ~= ask.holder then return nil end
  if r.state == HELD then
    -- A hold that is over may have passed to another one in the part that is lost.
    if recovering and tonumber(redis.call('ZSCORE', pool.x, unit)) <= now then return nil end
    redis.call('ZADD', pool.x, now + ask.hold, unit)
    return unit
  end
  if r.state ~= LIVE or not served(ask, unit) then return nil end
  if recovering and recovering.long then return nil end
  return unit
end

-- What the subscription had last, if nobody has it since.
local function sticky(pool, ask, recovering)
  local unit = redis.call('HGET', pool.s, ask.sub)
  if not unit or not served(ask, unit) then return nil end
  local r = read(pool, unit)
  if not r or r.state ~= FREE or r.sub ~= ask.sub then return nil end
  if recovering and redis.call('ZRANK', pool.f .. range_of(unit), unit) < recovering.lost then return nil end
  return unit, r
end

-- → {'leased', unit, sequence} or {'exhausted', '', sequence}
function ledger.lease(now, ask)
  local pool = pool_of(ask.id)
  local recovering = recover(pool, now, ask)
  local same = again(pool, now, ask, recovering)
  if same then return { 'leased', same, tonumber(redis.call('HGET', pool.base, 'seq') or '0') } end
  expire(pool, now, ask.cool, DUE_AT_ONCE)
  local unit, r = sticky(pool, ask, recovering)
  if not unit then unit, r = pick(pool, now, ask, recovering) end
  if not unit then
    redis.call('HINCRBY', pool.base, 'exhausted', 1)
    return { 'exhausted', '', tonumber(redis.call('HGET', pool.base, 'seq') or '0') }
  end
  return { 'leased', unit, take(pool, unit, r, HELD, now, ask.sub, ask.holder, now + ask.hold) }
end

-- `<range>,<size>;…`
function ledger.ranges(text)
  local ranges = {}
  for id, size in string.gmatch(text, '(%d+),(%d+);') do ranges[#ranges + 1] = { id = id, size = tonumber(size) } end
  return ranges
end

local function open(pool, unit, r, note, now, check)
  if r and r.state == FREE and r.session == note.session and (r.inc > note.inc or r.inc == note.inc and r.at >= note.at) then return 0 end
  if r and r.state == LIVE and r.session == note.session and (r.inc > note.inc or r.inc == note.inc and r.at > note.at) then return 0 end
  if r and r.state == LIVE and r.session ~= note.session and r.at > note.at then
    if r.sub ~= note.sub then redis.call('HINCRBY', pool.base, 'conflicts', 1) end
    return 0
  end
  if r and (r.state == HELD or r.state == LIVE) and r.sub ~= note.sub then redis.call('HINCRBY', pool.base, 'conflicts', 1) end
  local holder = r and r.state ~= BLOCK and r.sub == note.sub and r.holder or ''
  if r then
    if holder == '' then forget_holder(pool, unit, r) end
    redis.call('ZREM', pool.x, unit)
    redis.call('ZREM', pool.f .. range_of(unit), unit)
    if r.sub ~= note.sub and r.sub ~= '' and redis.call('HGET', pool.s, r.sub) == unit then redis.call('HDEL', pool.s, r.sub) end
  end
  if not r or r.state == FREE then
    count(pool, unit, 1)
    redis.call('HINCRBY', pool.base, 'seq', 1)
  end
  write(pool, unit, { state = LIVE, at = note.at, sub = note.sub, holder = holder, inc = note.inc, session = note.session })
  redis.call('ZADD', pool.l, now + check, unit)
  if note.sub ~= '0' then redis.call('HSET', pool.s, note.sub, unit) end
  return 1
end

-- KEYS base; ARGV id now check cool, then for each note: unit subscription session incarnation at open(1|0)
-- A session has the unit, or has it no more. Older notes are ignored, closed wins ties. → how many changed something
local function note(_, args)
  local pool, now, check, cool, changed = pool_of(args[1]), tonumber(args[2]), tonumber(args[3]), tonumber(args[4]), 0
  for i = 5, #args - 5, 6 do
    local unit = args[i]
    local told = { sub = args[i + 1], session = args[i + 2], inc = tonumber(args[i + 3]), at = tonumber(args[i + 4]) }
    local r = read(pool, unit)
    if args[i + 5] == '1' then
      changed = changed + open(pool, unit, r, told, now, check)
    elseif r and r.state == LIVE and r.session == told.session and r.inc <= told.inc then
      r.at, r.inc = math.max(r.at, told.at), told.inc
      release(pool, unit, r, now + cool)
      changed = changed + 1
    end
  end
  return changed
end

-- KEYS base; ARGV id now visibility count → unit, subscription, incarnation, session, instant of each live unit whose session is to be looked at
local function due(_, args)
  local pool, now, found = pool_of(args[1]), tonumber(args[2]), {}
  for _, unit in ipairs(redis.call('ZRANGEBYSCORE', pool.l, '-inf', now, 'LIMIT', 0, args[4])) do
    local r = read(pool, unit)
    if r and r.state == LIVE then
      redis.call('ZADD', pool.l, now + args[3], unit)
      local n = #found
      found[n + 1], found[n + 2], found[n + 3], found[n + 4], found[n + 5] =
        unit, r.sub, ledger.text(r.inc), r.session, ledger.text(r.at)
    else
      redis.call('ZREM', pool.l, unit)
    end
  end
  return found
end

-- KEYS base; ARGV id now cool count: ends holds and blocks whose time is over, where nobody logs in → units in use
local function tend(_, args)
  local pool = pool_of(args[1])
  expire(pool, tonumber(args[2]), tonumber(args[3]), tonumber(args[4]))
  return tonumber(redis.call('HGET', pool.base, 'used') or '0')
end

-- KEYS base; ARGV id now node till want cool settle seen ranges → {sequence, every unit of the block...}
-- Renews the block of a node and adds to it what is wanted: units to hand out while the store is away.
local function block(_, args)
  local pool, now, node, till, want = pool_of(args[1]), tonumber(args[2]), args[3], tonumber(args[4]), tonumber(args[5])
  local ask = { seen = tonumber(args[8]), cool = tonumber(args[6]), settle = tonumber(args[7]), ranges = ledger.ranges(args[9]) }
  local recovering = recover(pool, now, ask)
  expire(pool, now, ask.cool, DUE_AT_ONCE + want)
  for _, unit in ipairs(redis.call('SMEMBERS', pool.base .. ':b:' .. node)) do redis.call('ZADD', pool.x, 'XX', till, unit) end
  for _ = 1, want do
    local unit, r = pick(pool, now, ask, recovering)
    if not unit then break end
    take(pool, unit, r, BLOCK, now, '', node, till)
  end
  return { tonumber(redis.call('HGET', pool.base, 'seq') or '0'), unpack(redis.call('SMEMBERS', pool.base .. ':b:' .. node)) }
end

-- KEYS base; ARGV id now node hold, then unit subscription holder of what the node handed out of its block meanwhile
local function settle(_, args)
  local pool, now, node, hold, settled = pool_of(args[1]), tonumber(args[2]), args[3], tonumber(args[4]), 0
  for i = 5, #args - 2, 3 do
    local unit, sub, holder = args[i], args[i + 1], args[i + 2]
    local r = read(pool, unit)
    if r and r.state == BLOCK and r.holder == node then
      forget_holder(pool, unit, r)
      write(pool, unit, { state = HELD, at = now, sub = sub, holder = holder, inc = 0, session = '' })
      redis.call('ZADD', pool.x, now + hold, unit)
      redis.call('HSET', pool.h, holder, unit)
      redis.call('HSET', pool.s, sub, unit)
      settled = settled + 1
    elseif r and r.state == LIVE and r.sub == sub and r.holder == '' then
      r.holder = holder
      write(pool, unit, r)
      redis.call('HSET', pool.h, holder, unit)
      settled = settled + 1
    end
  end
  return settled
end

-- KEYS base; ARGV id unit now: frees the unit for everybody, whoever has it. An operator's word.
local function set_free(_, args)
  local pool = pool_of(args[1])
  local r = read(pool, args[2])
  if not r or r.state == FREE then return 0 end
  if r.sub ~= '' and redis.call('HGET', pool.s, r.sub) == args[2] then redis.call('HDEL', pool.s, r.sub) end
  release(pool, args[2], r, tonumber(args[3]))
  return 1
end

redis.register_function('pool_note', note)
redis.register_function('pool_due', due)
redis.register_function('pool_tend', tend)
redis.register_function('pool_block', block)
redis.register_function('pool_settle', settle)
redis.register_function('pool_free', set_free)
