-- What becomes of units of a pool: sessions confirm and end their leases, nodes tell what they handed out, operators free.
-- lua/leases.lua says how leases are kept.
local l = ledger.leases
local HELD, LIVE, BLOCK, FREE = l.HELD, l.LIVE, l.BLOCK, l.FREE
local pool_of, range_of, read, write, count = l.pool_of, l.range_of, l.read, l.write, l.count
local forget_last, forget_holder, release, expire = l.forget_last, l.forget_holder, l.release, l.expire

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
    forget_last(pool, unit, r, note.sub)
  end
  if not r or r.state == FREE then
    count(pool, unit, 1)
    redis.call('HINCRBY', pool.base, 'seq', 1)
  end
  write(pool, unit, { state = LIVE, at = note.at, sub = note.sub, holder = holder, inc = note.inc, session = note.session })
  redis.call('ZADD', pool.l, now + check, unit)
  if note.sub ~= '0' then redis.call('HSET', pool.i, 's' .. note.sub, unit) end
  return 1
end

-- Nobody said that the session ended, only a look did not find it: when it tells of itself again the unit is its own, if free still.
local function lose(pool, unit, r, note, from)
  if not r or r.state ~= LIVE or r.session ~= note.session or r.inc ~= note.inc or r.at ~= note.at then return 0 end
  r.session, r.inc = '', 0
  release(pool, unit, r, from)
  return 1
end

-- KEYS base; ARGV id now check cool, then for each note: unit subscription session incarnation at open(1|0|lost)
-- A session has the unit, or has it no more, or is not to be found. Older notes are ignored, closed wins ties. → how many changed something
local function note(_, args)
  local pool, now, check, cool, changed = pool_of(args[1]), tonumber(args[2]), tonumber(args[3]), tonumber(args[4]), 0
  for i = 5, #args - 5, 6 do
    local unit = args[i]
    local told = { sub = args[i + 1], session = args[i + 2], inc = tonumber(args[i + 3]), at = tonumber(args[i + 4]) }
    local r = read(pool, unit)
    if args[i + 5] == '1' then
      changed = changed + open(pool, unit, r, told, now, check)
    elseif args[i + 5] == 'lost' then
      changed = changed + lose(pool, unit, r, told, now + cool)
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
  -- What the store lost comes back while it recovers: nothing is missing before.
  if tonumber(redis.call('HGET', pool.base, 'recover') or '0') > now then return found end
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

-- KEYS base; ARGV id now cool count settle: ends holds and blocks whose time is over, where nobody logs in → how many
-- `settle`: a recovery that stands lasts so long from now on; 0: as long as it lasts anyway.
local function tend(_, args)
  local pool, now, settle = pool_of(args[1]), tonumber(args[2]), tonumber(args[5])
  local till = tonumber(redis.call('HGET', pool.base, 'recover') or '0')
  if till > now and now + settle > till then redis.call('HSET', pool.base, 'recover', ledger.text(now + settle)) end
  return expire(pool, now, tonumber(args[3]), tonumber(args[4]))
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
      redis.call('HSET', pool.i, 'h' .. holder, unit, 's' .. sub, unit)
      settled = settled + 1
    elseif r and r.state == LIVE and r.sub == sub and r.holder == '' then
      r.holder = holder
      write(pool, unit, r)
      redis.call('HSET', pool.i, 'h' .. holder, unit)
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
  forget_last(pool, args[2], r, '')
  -- Whatever its session said before counts no more.
  r.at = math.max(r.at, tonumber(args[3]))
  release(pool, args[2], r, tonumber(args[3]))
  return 1
end

ledger.register('pool_note', note)
ledger.register('pool_due', due)
ledger.register('pool_tend', tend)
ledger.register('pool_settle', settle)
ledger.register('pool_free', set_free)
