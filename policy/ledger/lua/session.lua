-- An incarnation of a session as a table, and the hash it lives in: `ses:` the current one, `old:` its tombstones.
-- What changes with every record lies in `times` and `totals`, packed (policy/ledger/state.ts reads them too) into less than 64 octets
-- each so that Redis keeps the hash compact; the rest in fields of its own.
-- What is passed to commands is text: of a number Redis makes one each time, and slowly.
local KEEP_MS = '777600000' -- nine days: longer than the 7 days after which an unknown record is refused, and than any WAL
local SILENT_MS = 30 * 86400000
local MOST_OLD = 8
local MOST_EVENTS = '10000'

-- inc next print; started first last cat; sat stop stime cst (0: none, else + 1); upgig downgig began why state
local TIMES = '<I3I3I4I6I6I6I6I6I6I5I5I1I1I1I1I1'
-- up down upbase downbase tenant sub
local TOTALS = '<I7I7I7I7I6I6'
local began = { [0] = 'unknown', 'lost', 'start', unknown = 0, lost = 1, start = 2 }
local why = { [0] = nil, 'stop', 'boot', 'silent', 'replaced', stop = 1, boot = 2, silent = 3, replaced = 4 }
local state = { [0] = 'closed', 'open', closed = 0, open = 1 }

-- Fields of their own that are written only when they change; the last one only when a record brings it.
local watched = { 'state', 'started', 'uuid', 'olds', 'flags', 'why', 'stop', 'inc', 'tenant', 'sub', 'tcause' }

local function maybe(number)
  return number > 0 and number - 1 or nil
end

-- All fields at once: a table that grows field by field is made anew again and again.
function ledger.unpack(key, times, totals, uuid, olds, flags)
  local inc, next, print, started, first, last, cat, sat, stop, stime, cst, upgig, downgig, by, ended, is = struct.unpack(TIMES, times)
  local up, down, upbase, downbase, tenant, sub = struct.unpack(TOTALS, totals)
  return {
    key = key, uuid = uuid, olds = olds, flags = flags, inc = inc, next = next, print = print, started = started, first = first,
    last = last, cat = cat, sat = maybe(sat), stop = maybe(stop), stime = maybe(stime), cst = maybe(cst), upgig = upgig,
    downgig = downgig, began = began[by], why = why[ended], state = state[is], up = up, down = down, upbase = upbase,
    downbase = downbase, tenant = tenant, sub = sub, was = nil, times = nil, totals = nil, tcause = nil,
  }
end

function ledger.load(key)
  local stored = redis.call('HMGET', key, 'times', 'totals', 'uuid', 'olds', 'flags')
  if not stored[1] then return nil end
  local s = ledger.unpack(key, stored[1], stored[2], stored[3] or nil, stored[4] or nil, stored[5] or nil)
  -- In the order of `watched`.
  s.was = { s.state, s.started, s.uuid, s.olds, s.flags, s.why, s.stop, s.inc, s.tenant, s.sub }
  return s
end

-- Writes what changed, and what the record says of the session when it is the newest. `described`: this instead, of a session that was not there.
function ledger.save(s, call, newest, described)
  local was = s.was or {}
  local describes = not described and (newest or not s.was) and call.print ~= s.print
  if describes then s.print = call.print end
  s.times = struct.pack(TIMES, s.inc, s.next, s.print, s.started, s.first, s.last, s.cat, (s.sat or -1) + 1, (s.stop or -1) + 1,
      (s.stime or -1) + 1, (s.cst or -1) + 1, s.upgig, s.downgig, began[s.began], why[s.why] or 0, state[s.state])
  s.totals = struct.pack(TOTALS, s.up, s.down, s.upbase, s.downbase, s.tenant, s.sub)
  local set = { 'times', s.times, 'totals', s.totals }
  local n = #set
  for i = 1, #watched do
    local name = watched[i]
    if s[name] ~= was[i] then
      set[n + 1], set[n + 2] = name, s[name] or ''
      n = n + 2
    end
  end
  if described then
    for name, value in pairs(described) do set[#set + 1], set[#set + 2] = name, value end
    ledger.addresses_told(call, s, described, set)
  end
  if describes then ledger.addresses_told(call, s, ledger.describe(call, set), set) end
  redis.call('HSET', s.key, unpack(set))
  if s.state == 'closed' then redis.call('PEXPIRE', s.key, KEEP_MS) end
end

function ledger.flag(s, call, flag)
  call.flags[#call.flags + 1] = flag
  if not string.find(',' .. (s.flags or '') .. ',', ',' .. flag .. ',', 1, true) then
    s.flags = s.flags and s.flags .. ',' .. flag or flag
  end
end

function ledger.create(call, key, inc, started)
  return {
    key = key, inc = inc, next = inc + 1, print = -1, state = 'open', uuid = call.uuid ~= '' and call.uuid or nil,
    began = call.kind == 'start' and 'start' or call.st and 'lost' or 'unknown',
    tenant = call.tenant, sub = call.sub, started = started, first = call.event, last = call.event,
    up = 0, down = 0, upbase = 0, downbase = 0, upgig = 0, downgig = 0,
    cat = started, cst = call.st and 0 or nil,
  }
end

function ledger.old_key(key, inc)
  return 'old:' .. string.sub(key, 5) .. ':' .. inc
end

-- `olds` is `<inc>:<uuid>;…`, oldest first.
function ledger.olds(s)
  local list = {}
  for inc, uuid in string.gmatch(s.olds or '', '(%d+):(%w*);') do list[#list + 1] = { inc = inc, uuid = uuid } end
  return list
end

-- Notes an earlier incarnation behind the `after` oldest ones; the oldest of too many is forgotten.
function ledger.remember(s, key, list, after, old)
  table.insert(list, after + 1, { inc = ledger.text(old.inc), uuid = old.uuid or '' })
  if #list > MOST_OLD then redis.call('DEL', ledger.old_key(key, table.remove(list, 1).inc)) end
  s.olds = ''
  for _, entry in ipairs(list) do s.olds = s.olds .. entry.inc .. ':' .. entry.uuid .. ';' end
end

-- A tombstone has learned the Class it was without.
function ledger.name_old(s, old)
  local inc = ledger.text(old.inc)
  s.olds = string.sub(string.gsub(';' .. s.olds, ';' .. inc .. ':;', ';' .. inc .. ':' .. old.uuid .. ';', 1), 2)
end

-- `<tenant>:<subscription>`: the record has it as text already, unless the session is another's.
local function owner_of(call, s)
  if s.tenant == call.tenant and s.sub == call.sub then return call.owner end
  return ledger.text(s.tenant) .. ':' .. ledger.text(s.sub)
end

function ledger.usage_key(call, s)
  return call.keys.use .. owner_of(call, s)
end

local function members(call, s)
  return call.keys.subses .. owner_of(call, s)
end

-- Tells enforcement. Whatever the bound cuts off unread, its sweep finds.
function ledger.tell(stream, type, tenant, sub, session, at)
  redis.call('XADD', stream, 'MAXLEN', '~', MOST_EVENTS, '*', 'type', type, 'tenant', tenant, 'sub', sub, 'ses', session, 'at', at)
end

-- However many sessions open, a crossing does not wait behind them.
function ledger.event(call, type, s, at)
  local stream = type == 'crossed' and call.keys.enforce or call.keys.opened
  if s.sub ~= 0 then ledger.tell(stream, type, s.tenant, s.sub, s.key, at) end
end

-- How many sessions of a tenant are open, counted where they open and close; for calls that are applied together at their end.
local function count_open(call, s, by)
  local tenant = ledger.text(s.tenant)
  if call.online then
    call.online[tenant] = (call.online[tenant] or 0) + by
  else
    redis.call('HINCRBY', call.keys.online, tenant, by)
  end
end

function ledger.keep_online(names, online)
  for tenant, by in pairs(online) do
    if by ~= 0 then redis.call('HINCRBY', names.online, tenant, by) end
  end
end

function ledger.index(call, s)
  if s.sub ~= 0 then redis.call('SADD', members(call, s), s.key) end
  count_open(call, s, 1)
end

-- Into the indexes of open sessions.
function ledger.open(call, s)
  if s.stop then ledger.addresses_again(call, s, s.stop) end
  s.state, s.why, s.stop = 'open', nil, nil
  ledger.index(call, s)
  if s.was then redis.call('PERSIST', s.key) end
  ledger.event(call, 'opened', s, call.event)
  if s.sub ~= 0 then ledger.login_opened(call, s, call.keys.tag) end
end

-- Scores are an event that the session had, not always its last: it is brought up when it opens, once a day, and when somebody looks.
function ledger.touch(call, s)
  local last = ledger.text(s.last)
  redis.call('ZADD', call.keys.live, last, s.key)
  redis.call('ZADD', call.keys.livenas .. call.inst, last, s.key)
end

-- Out of them. `why`: stop, boot, silent or replaced; only a Stop is the NAS's own word.
function ledger.close(call, s, reason, stop)
  s.state, s.why, s.stop = 'closed', reason, stop
  count_open(call, s, -1)
  redis.call('ZREM', call.keys.live, s.key)
  redis.call('ZREM', call.keys.livenas .. call.inst, s.key)
  if s.sub ~= 0 then redis.call('SREM', members(call, s), s.key) end
  ledger.addresses_end(call, s, stop)
end

-- A session that said nothing for a month is over. Each that opens may close two: lost Stops do not pile up. Where there are none left
-- those that are applied in the same call need not look.
function ledger.close_silent(call, lane)
  if lane.none_silent then return end
  local silent = call.received - SILENT_MS
  local found = redis.call('ZRANGEBYSCORE', call.keys.live, '-inf', ledger.text(silent), 'LIMIT', '0', '2')
  lane.none_silent = #found == 0
  for _, key in ipairs(found) do
    local s = ledger.load(key)
    local inst = redis.call('HGET', key, 'inst') or ''
    if not s or s.state ~= 'open' then
      redis.call('ZREM', call.keys.live, key)
    elseif s.last > silent then
      redis.call('ZADD', call.keys.live, s.last, key)
    else
      local other = { keys = call.keys, inst = inst }
      ledger.close(other, s, 'silent', s.last)
      ledger.save(s, other, false)
    end
  end
end

-- The current incarnation becomes a tombstone, so that its key is free for the next.
function ledger.bury(call, s)
  if s.state == 'open' then ledger.close(call, s, 'replaced', s.last) end
  local key = s.key
  ledger.save(s, call, false)
  s.key = ledger.old_key(key, ledger.text(s.inc))
  redis.call('RENAME', key, s.key)
end
