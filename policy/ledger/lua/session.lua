-- An incarnation of a session as a table, and the hash it lives in: `ses:` the current one, `old:` its tombstones.
local KEEP_MS = 9 * 86400000 -- longer than the 7 days after which an unknown record is refused, and than any WAL
local SILENT_MS = 30 * 86400000
local MOST_OLD = 8
local MOST_EVENTS = 10000

-- Numbers first, then texts.
local names = {
  'inc', 'next', 'tenant', 'sub', 'started', 'first', 'last', 'stime', 'sat', 'stop',
  'up', 'down', 'upbase', 'downbase', 'upgig', 'downgig', 'cat', 'cst',
  'state', 'why', 'began', 'uuid', 'olds', 'flags', 'sent', 'cause',
}
local NUMBERS = 18
-- What the newest record says of a session; empty values say nothing.
local described = { 'nas', 'inst', 'sid', 'user', 'src', 'nasip', 'port', 'portid', 'fip', 'calling', 'called', 'loh' }

function ledger.load(key)
  local values = redis.call('HMGET', key, unpack(names))
  if not values[1] then return nil end
  local s = { key = key, stored = values }
  for i, name in ipairs(names) do
    local value = values[i]
    if value and value ~= '' then s[name] = i <= NUMBERS and tonumber(value) or value end
  end
  return s
end

-- Writes what changed, and what the record says of the session when it is the newest.
function ledger.save(s, call, newest)
  local set = {}
  local function put(name, value)
    set[#set + 1] = name
    set[#set + 1] = value
  end
  for i, name in ipairs(names) do
    local value = s[name]
    if type(value) == 'number' then value = ledger.text(value) end
    value = value or ''
    if (s.stored and s.stored[i] or '') ~= value then put(name, value) end
  end
  if newest or not s.stored then
    for _, name in ipairs(described) do
      local value = name == 'nas' and ledger.text(call.nas) or call[name]
      if value ~= '' then put(name, value) end
    end
  end
  if #set > 0 then redis.call('HSET', s.key, unpack(set)) end
  if s.state == 'closed' then redis.call('PEXPIRE', s.key, ledger.text(KEEP_MS)) end
end

function ledger.flag(s, call, flag)
  call.flags[#call.flags + 1] = flag
  if not string.find(',' .. (s.flags or '') .. ',', ',' .. flag .. ',', 1, true) then
    s.flags = s.flags and s.flags .. ',' .. flag or flag
  end
end

function ledger.create(call, key, inc, started)
  local began = call.kind == 'start' and 'start' or call.st and 'lost' or 'unknown'
  return {
    key = key, inc = inc, state = 'open', began = began,
    tenant = call.tenant, sub = call.sub, uuid = call.uuid ~= '' and call.uuid or nil,
    started = started, first = call.event, last = call.event,
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

local function members(call, s)
  return 'subses:' .. call.tag .. ':' .. ledger.text(s.tenant) .. ':' .. ledger.text(s.sub)
end

-- Tells enforcement. Whatever the bound cuts off unread, its sweep finds.
function ledger.event(call, type, s, at)
  if s.sub == 0 then return end
  redis.call('XADD', call.keys.enforce, 'MAXLEN', '~', MOST_EVENTS, '*', 'type', type, 'tenant', ledger.text(s.tenant),
    'sub', ledger.text(s.sub), 'ses', s.key, 'at', ledger.text(at))
end

-- Into the indexes of open sessions.
function ledger.open(call, s)
  s.state, s.why, s.stop = 'open', nil, nil
  if s.sub ~= 0 then redis.call('SADD', members(call, s), s.key) end
  redis.call('PERSIST', s.key)
  ledger.event(call, 'opened', s, call.event)
end

function ledger.touch(call, s)
  redis.call('ZADD', call.keys.live, ledger.text(s.last), s.key)
  redis.call('ZADD', call.keys.nas, ledger.text(s.last), s.key)
end

-- Out of them. `why`: stop, boot, silent or replaced; only a Stop is the NAS's own word.
function ledger.close(call, s, why, stop)
  s.state, s.why, s.stop = 'closed', why, stop
  redis.call('ZREM', call.keys.live, s.key)
  redis.call('ZREM', call.keys.nas, s.key)
  if s.sub ~= 0 then redis.call('SREM', members(call, s), s.key) end
  ledger.event(call, 'closed', s, stop)
end

-- A session that said nothing for a month is over. Each that opens may close two: lost Stops do not pile up.
function ledger.close_silent(call)
  local before = ledger.text(call.received - SILENT_MS)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', call.keys.live, '-inf', before, 'LIMIT', '0', '2')) do
    local s = ledger.load(key)
    redis.call('ZREM', call.keys.live, key)
    if s and s.state == 'open' then
      redis.call('ZREM', 'livenas:' .. call.tag .. ':' .. (redis.call('HGET', key, 'inst') or ''), key)
      ledger.close(call, s, 'silent', s.last)
      ledger.save(s, call, false)
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
