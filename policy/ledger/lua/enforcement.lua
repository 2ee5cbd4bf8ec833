-- Enforcement: who owns a partition, its claimed work, what sessions were told, decided profiles, and the brake of a tenant.
-- Whatever writes to a partition gets the lease text `<node>:<token>` and does nothing when it no longer stands: two nodes never both act. Instants come from the caller in milliseconds. Keys of one call lie in one slot.
local GROUP = 'enforcement'

local function integer(number)
  return string.format('%.0f', number)
end

local function standing(lease, text)
  return redis.call('GET', lease) == text
end

-- The next entries of a stream; `idle`: also those that were handed out and not finished for that long.
local function take(stream, node, count, idle)
  if count == '0' then return {} end
  local taken = idle and redis.call('XAUTOCLAIM', stream, GROUP, node, idle, '0-0', 'COUNT', count)[2] or {}
  local new = redis.call('XREADGROUP', 'GROUP', GROUP, node, 'COUNT', count, 'STREAMS', stream, '>')
  for _, entry in ipairs(new and new[1][2] or {}) do taken[#taken + 1] = entry end
  return taken
end

-- KEYS lease fence enforce opened wheel; ARGV node held-token ttl, how many crossings and how much else (0: none), visibility now again (1: also what was handed out and not finished for that long)
-- Takes or renews the lease and hands out work: {token, fresh, entries of enforce, of opened, due wheel members}; {} when another node owns it.
-- {} too while the partition is rebuilt: of half a ledger everybody looks as if nothing had been used.
-- The same node without a token is that node restarted: it takes over at once. A fresh owner inherits what was being worked on.
local function claim(keys, args)
  if ledger.paused(redis.call('HGET', 'lane:' .. string.sub(keys[1], 7), ':paused')) then return {} end
  local node, held, ttl, crossings, count = args[1], args[2], args[3], args[4], args[5]
  local visibility, now = tonumber(args[6]), tonumber(args[7])
  local lease = redis.call('GET', keys[1])
  local fresh = true
  if lease then
    local owner, token = string.match(lease, '^(.*):(%d+)$')
    if owner ~= node then return {} end
    if held ~= '' and held ~= token then return {} end
    fresh = held == ''
  end
  if fresh then
    held = integer(redis.call('INCR', keys[2]))
    for at = 3, 4 do redis.pcall('XGROUP', 'CREATE', keys[at], GROUP, '0', 'MKSTREAM') end
  end
  redis.call('SET', keys[1], node .. ':' .. held, 'PX', ttl)
  local idle = fresh and '0' or args[8] == '1' and integer(visibility) or nil
  local due = count == '0' and {} or redis.call('ZRANGEBYSCORE', keys[5], '-inf', integer(now), 'LIMIT', '0', count)
  for _, member in ipairs(due) do redis.call('ZADD', keys[5], integer(now + visibility), member) end
  return { held, fresh and 1 or 0, take(keys[3], node, crossings, idle), take(keys[4], node, count, idle), due }
end

-- KEYS lease; ARGV lease-text
local function release(keys, args)
  if not standing(keys[1], args[1]) then return 0 end
  return redis.call('DEL', keys[1])
end

local writes = {}

-- enforce|opened id...: these entries of the stream are worked off
function writes.done(names, args)
  redis.call('XACK', names[args[1]], GROUP, unpack(args, 2))
  redis.call('XDEL', names[args[1]], unpack(args, 2))
end

-- member at|'' claimed|''
-- A member still standing where its claim put it is moved to `at` (or removed); any other keeps the earlier instant.
function writes.schedule(names, args)
  local member, at, claimed = args[1], args[2], tonumber(args[3])
  local score = redis.call('ZSCORE', names.wheel, member)
  score = score and tonumber(score)
  if at == '' then
    if score and score == claimed then redis.call('ZREM', names.wheel, member) end
  elseif not score or score == claimed or tonumber(at) < score then
    redis.call('ZADD', names.wheel, at, member)
  end
end

-- session incarnation field value ...
function writes.session(_, args)
  local stored = redis.call('HMGET', args[1], 'state', 'inc')
  if stored[1] ~= 'open' or stored[2] ~= args[2] then return 'gone' end
  redis.call('HSET', args[1], unpack(args, 3))
end

-- tenant subscription text stream-length field value ...
function writes.profile(names, args)
  local last = names.prof .. args[1]
  if redis.call('HGET', last, args[2]) == args[3] then return end
  redis.call('HSET', last, args[2], args[3])
  redis.call('XADD', names.profile, 'MAXLEN', '~', args[4], '*', unpack(args, 5))
end

-- KEYS lease; ARGV lease-text tag, then of each write its name, how many arguments follow, and those → 'ok', 'gone' or 'not_owner' for each
local function write(keys, args)
  local names, is_owner, answers, at = ledger.names(args[2]), standing(keys[1], args[1]), {}, 3
  while at < #args do
    local name, last = args[at], at + 1 + tonumber(args[at + 1])
    answers[#answers + 1] = is_owner and (writes[name](names, { unpack(args, at + 2, last) }) or 'ok') or 'not_owner'
    at = last + 1
  end
  return answers
end

-- KEYS any of the partition; ARGV tag, number of fields, fields of a session; tenant, subscription and four counters of each subscriber
-- → of each {counters, last profile, sessions}
local function look(_, args)
  local names, count = ledger.names(args[1]), tonumber(args[2])
  local fields, found = { unpack(args, 3, 2 + count) }, {}
  for at = 3 + count, #args, 6 do
    local owner = args[at] .. ':' .. args[at + 1]
    local sessions = redis.call('SMEMBERS', names.subses .. owner)
    table.sort(sessions)
    for i, key in ipairs(sessions) do sessions[i] = redis.call('HMGET', key, unpack(fields)) end
    found[#found + 1] = {
      redis.call('HMGET', names.use .. owner, unpack(args, at + 2, at + 5)),
      redis.call('HGET', names.prof .. args[at], args[at + 1]),
      sessions,
    }
  end
  return found
end

-- KEYS lease session; ARGV lease-text tag incarnation last-event updated NAS-instance
-- Closes a session that its access server no longer knows, as of its last event, unless anything happened to it meanwhile.
local function close_forgotten(keys, args)
  if not standing(keys[1], args[1]) then return 0 end
  local s = ledger.load(keys[2])
  if not s or s.state ~= 'open' or ledger.text(s.inc) ~= args[3] or ledger.text(s.last) ~= args[4] then return 0 end
  if redis.call('HGET', keys[2], 'eupd') ~= args[5] then return 0 end
  local call = { keys = ledger.names(args[2]), inst = args[6] }
  ledger.close(call, s, 'silent', s.last)
  ledger.save(s, call, false)
  return 1
end

-- KEYS live-sessions; ARGV offset count → {sessions read, subscribers with repetitions...}
-- Session keys lie in the slot of the partition, like every key here.
local function live(keys, args)
  local page = redis.call('ZRANGE', keys[1], args[1], args[1] + args[2] - 1)
  local found = { #page }
  for _, key in ipairs(page) do
    local stored = redis.call('HMGET', key, 'tenant', 'sub', 'state')
    if stored[1] and stored[2] and stored[2] ~= '0' and stored[3] == 'open' then
      found[#found + 1] = stored[1] .. ':' .. stored[2]
    end
  end
  return found
end

ledger.register('enforcement_live', live, 'no-writes')
ledger.register('enforcement_claim', claim)
ledger.register('enforcement_release', release)
ledger.register('enforcement_write', write)
ledger.register('enforcement_look', look, 'no-writes')
ledger.register('enforcement_close_forgotten', close_forgotten)

-- The brake. KEYS always: brake pending recent released dropped finished, all of one tenant.
-- brake: hash of the hold that stands (id since online limit `reason:<r>`) and `last` = newest id.
-- pending, released, dropped: subscription → `<reason>\n<desired outcome>`. recent: zset of those let through, by instant.

local function pend(keys, subscription, change)
  local old = redis.call('HGET', keys[2], subscription)
  if old == change then return end
  if old then redis.call('HINCRBY', keys[1], 'reason:' .. string.match(old, '^[^\n]*'), -1) end
  redis.call('HINCRBY', keys[1], 'reason:' .. string.match(change, '^[^\n]*'), 1)
  redis.call('HSET', keys[2], subscription, change)
end

-- The hold is over: what it was goes to the list of finished ones.
local function close(keys, state, now)
  local hold = {}
  local fields = redis.call('HGETALL', keys[1])
  for i = 1, #fields, 2 do
    if fields[i] ~= 'last' then
      hold[fields[i]] = fields[i + 1]
      redis.call('HDEL', keys[1], fields[i])
    end
  end
  hold.state = state
  hold.ended = now
  redis.call('LPUSH', keys[6], cjson.encode(hold))
  redis.call('LTRIM', keys[6], '0', '9')
end

-- ARGV now window limit online following (subscription reason desired)...
-- `following`: how many more changes of the same evaluation come in later calls. → {id of the hold or '', opened, verdict...}
local function ask(keys, args)
  local now, window, limit, following = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), tonumber(args[5])
  redis.call('ZREMRANGEBYSCORE', keys[3], '-inf', integer(now - window))
  local id = redis.call('HGET', keys[1], 'id') or ''
  local reply, new = { id, 0 }, {}
  for i = 6, #args - 2, 3 do
    local subscription, change = args[i], args[i + 1] .. '\n' .. args[i + 2]
    local verdict = 'go'
    if redis.call('HGET', keys[4], subscription) ~= change then
      if redis.call('HGET', keys[5], subscription) == change then
        verdict = 'dropped'
      else
        redis.call('HDEL', keys[4], subscription)
        redis.call('HDEL', keys[5], subscription)
        if id ~= '' then
          pend(keys, subscription, change)
          verdict = 'held'
        elseif not redis.call('ZSCORE', keys[3], subscription) then
          new[#new + 1] = { #reply + 1, subscription, change }
        end
      end
    end
    reply[#reply + 1] = verdict
  end
  if #new == 0 then return reply end
  if redis.call('ZCARD', keys[3]) + #new + following > limit then
    id = integer(redis.call('HINCRBY', keys[1], 'last', 1))
    redis.call('HSET', keys[1], 'id', id, 'since', args[1], 'online', args[4], 'limit', args[3])
    reply[1], reply[2] = id, 1
    for _, entry in ipairs(new) do
      pend(keys, entry[2], entry[3])
      reply[entry[1]] = 'held'
    end
  else
    for _, entry in ipairs(new) do redis.call('ZADD', keys[3], args[1], entry[2]) end
  end
  return reply
end

-- ARGV now subscription...: their change is made or no longer wanted.
local function clear(keys, args)
  for i = 2, #args do
    local change = redis.call('HGET', keys[2], args[i])
    if change then
      redis.call('HDEL', keys[2], args[i])
      redis.call('HINCRBY', keys[1], 'reason:' .. string.match(change, '^[^\n]*'), -1)
    end
    redis.call('HDEL', keys[4], args[i])
    redis.call('HDEL', keys[5], args[i])
  end
  if redis.call('HEXISTS', keys[1], 'id') == 1 and redis.call('HLEN', keys[2]) == 0 then
    close(keys, 'dissolved', args[1])
  end
  return 1
end

-- ARGV id count|'' now target(4 released, 5 dropped) state → {'ok'} | {'unknown'} | {'count', pending}
local function settle(keys, args)
  if redis.call('HGET', keys[1], 'id') ~= args[1] then return { 'unknown' } end
  local pending = redis.call('HLEN', keys[2])
  if args[2] ~= '' and integer(pending) ~= args[2] then return { 'count', pending } end
  local target = keys[tonumber(args[4])]
  local earlier = redis.call('HGETALL', target)
  for i = 1, #earlier, 2 do redis.call('HSETNX', keys[2], earlier[i], earlier[i + 1]) end
  redis.call('RENAME', keys[2], target)
  redis.call('HSET', keys[1], 'count', integer(pending))
  close(keys, args[5], args[3])
  return { 'ok', pending }
end

-- ARGV with-released(1|0) → {hold fields...} pending {finished...} {released subscriptions...} dropped
local function look(keys, args)
  local released = args[1] == '1' and redis.call('HKEYS', keys[4]) or {}
  return {
    redis.call('HGETALL', keys[1]),
    redis.call('HLEN', keys[2]),
    redis.call('LRANGE', keys[6], '0', '-1'),
    released,
    redis.call('HLEN', keys[5]),
  }
end

ledger.register('brake_ask', ask)
ledger.register('brake_clear', clear)
ledger.register('brake_settle', settle)
ledger.register('brake_look', look, 'no-writes')
