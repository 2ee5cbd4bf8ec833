-- What a login asks before it is answered: whether one more session may run, whether the device may, and addresses of pools.
-- Files are loaded in the order of their names: what lies in pool-lease.lua is used at call time only.
-- `look`: the answer without the login; nothing is written.
local MOST_SESSIONS = 64
local DAY = 86400000

local function plain(mac)
  return string.lower((string.gsub(mac, '%X', '')))
end

-- Where a session comes in: the access server, the device, the port. A login at the same place is the same session again.
local function place(inst, mac, port, portid)
  return inst .. '|' .. plain(mac) .. '|' .. (portid ~= '' and portid or port)
end

local function pending_key(tag, owner)
  return 'lim:' .. tag .. ':' .. owner
end

-- Logins that were let through and whose session has not opened yet, by place.
local function pending(key, now, look)
  local found, fields = {}, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if tonumber(fields[i + 1]) > now then found[fields[i]] = '' elseif not look then redis.call('HDEL', key, fields[i]) end
  end
  return found
end

-- A session opened: its login waits no more.
function ledger.login_opened(call, s, tag)
  local key = pending_key(tag, ledger.text(s.tenant) .. ':' .. ledger.text(s.sub))
  if redis.call('EXISTS', key) == 0 then return end
  local told = ledger.unpack_described(call.described or '', {})
  redis.call('HDEL', key, place(call.inst, told.calling or '', told.port or '', told.portid or ''))
end

-- Open sessions elsewhere that were heard of since `since`, by place; and whether there is one here.
local function sessions(tag, owner, own, since)
  local found, here = {}, false
  for i, key in ipairs(redis.call('SMEMBERS', 'subses:' .. tag .. ':' .. owner)) do
    if i > MOST_SESSIONS then break end
    local stored = redis.call('HMGET', key, 'times', 'totals', 'inst', 'calling', 'port', 'portid')
    if stored[1] then
      local at = place(stored[3] or '', stored[4] or '', stored[5] or '', stored[6] or '')
      local s = ledger.unpack(key, stored[1], stored[2])
      if s.state == 'open' then
        if at == own then
          here = true
        elseif s.last >= since then
          found[at] = key
        end
      end
    end
  end
  return found, here
end

-- 'granted', or 'refused': so many sessions are alive elsewhere already. Enforcement is told to ask their access servers.
local function limit(ask)
  local key = pending_key(ask.tag, ask.owner)
  local others = pending(key, ask.now, ask.look)
  others[ask.place] = nil
  local alive, here = sessions(ask.tag, ask.owner, ask.place, ask.now - ask.fresh)
  for at, session in pairs(alive) do others[at] = session end
  local n = 0
  for _ in pairs(others) do n = n + 1 end
  if n >= ask.limit then
    local tenant, sub = string.match(ask.owner, '^(%d+):(%d+)$')
    for _, session in pairs(ask.look and {} or alive) do
      ledger.tell('opened:' .. ask.tag, 'probe', tenant, sub, session, ledger.text(ask.now))
    end
    return 'refused'
  end
  -- A session that is here already counts by itself, and when it ends nothing of its logins is left.
  if not here and not ask.look then
    redis.call('HSET', key, ask.place, ledger.text(ask.now + ask.hold))
    redis.call('PEXPIRE', key, ask.hold)
  end
  return 'granted'
end

-- `<mac>=<last seen>,…` of a subscription; every change goes to the mirrors of all nodes.
local function keep_macs(tag, tenant, sub, list)
  local texts = {}
  for i, entry in ipairs(list) do texts[i] = entry.mac .. '=' .. ledger.text(entry.at) end
  local text = table.concat(texts, ',')
  redis.call('HSET', 'macs:' .. tag .. ':' .. tenant, sub, text)
  redis.call('XADD', 'profile:' .. tag, 'MAXLEN', '~', 4096, '*', 'tenant', tenant, 'sub', sub, 'macs', text)
end

-- 'known', 'learned' or 'refused'
local function device(ask)
  local tenant, sub = string.match(ask.owner, '^(%d+):(%d+)$')
  local list, oldest = {}, nil
  for mac, at in string.gmatch(redis.call('HGET', 'macs:' .. ask.tag .. ':' .. tenant, sub) or '', '(%x+)=(%d+)') do
    list[#list + 1] = { mac = mac, at = tonumber(at) }
    if not oldest or list[#list].at < list[oldest].at then oldest = #list end
  end
  for _, entry in ipairs(list) do
    if entry.mac == ask.mac then
      if ask.now - entry.at > DAY and not ask.look then
        entry.at = ask.now
        keep_macs(ask.tag, tenant, sub, list)
      end
      return 'known'
    end
  end
  if #list >= ask.most then
    if ask.mode ~= 'replace' then return 'refused' end
    table.remove(list, oldest)
  end
  if ask.look then return 'learned' end
  list[#list + 1] = { mac = ask.mac, at = ask.now }
  keep_macs(ask.tag, tenant, sub, list)
  return 'learned'
end

local parts = {
  limit = function(now, hold, args, i, look)
    return limit({ now = now, look = look, hold = hold, tag = args[i], owner = args[i + 1], place = args[i + 2], limit = tonumber(args[i + 3]),
      fresh = tonumber(args[i + 4]) }), i + 5
  end,
  mac = function(now, _, args, i, look)
    return device({ now = now, look = look, tag = args[i], owner = args[i + 1], mac = args[i + 2], most = tonumber(args[i + 3]),
      mode = args[i + 4] }), i + 5
  end,
  pool = function(now, _, args, i, look)
    return ledger.lease(now, { look = look, id = args[i], sub = args[i + 1], holder = args[i + 2], one = args[i + 3] == '1',
      seen = tonumber(args[i + 4]), cool = tonumber(args[i + 5]), settle = tonumber(args[i + 6]), hold = tonumber(args[i + 7]),
      ranges = ledger.ranges(args[i + 8]) }), i + 9
  end,
}

-- KEYS any key of the slot; ARGV now hold, then parts: their name and its arguments → the answer of each; none behind one that is refused
local function answer_all(args, look)
  local now, hold, answers, i = tonumber(args[1]), tonumber(args[2]), {}, 3
  while i <= #args do
    local answer
    answer, i = parts[args[i]](now, hold, args, i + 1, look)
    answers[#answers + 1] = answer
    if answer == 'refused' then break end
  end
  return answers
end

-- KEYS macs; ARGV tag tenant subscription mac|'' → how many were forgotten: this one, or all
local function forget_macs(keys, args)
  local kept, gone = {}, 0
  for mac, at in string.gmatch(redis.call('HGET', keys[1], args[3]) or '', '(%x+)=(%d+)') do
    if args[4] == '' or args[4] == mac then gone = gone + 1 else kept[#kept + 1] = { mac = mac, at = tonumber(at) } end
  end
  if gone > 0 then keep_macs(args[1], args[2], args[3], kept) end
  return gone
end

ledger.register('login_ask', function(_, args) return answer_all(args, false) end)
-- The server itself refuses whatever would write.
ledger.register('login_look', function(_, args) return answer_all(args, true) end, 'no-writes')
ledger.register('login_forget_macs', forget_macs)
