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

-- Logins that were let through and whose session has not opened yet: until when each waits, and its place.
local WAITING = '<I6I2c0'

local function waiting_key(tag, owner)
  return 'waiting:' .. tag .. ':' .. owner
end

-- Those that wait still, by place.
local function waiting(text, now)
  local found, at = {}, 1
  while text and at <= #text do
    local till, where
    till, where, at = struct.unpack(WAITING, text, at)
    if till > now then found[where] = till end
  end
  return found
end

local function waiting_text(found)
  local texts = {}
  for at, till in pairs(found) do texts[#texts + 1] = struct.pack(WAITING, till, #at, at) end
  return table.concat(texts)
end

-- A session opened: its login waits no more.
function ledger.login_opened(call, s, tag)
  local key = waiting_key(tag, ledger.text(s.tenant) .. ':' .. ledger.text(s.sub))
  local text = redis.call('GET', key)
  if not text then return end
  local told = ledger.unpack_described(call.described or '', {})
  local found = waiting(text, 0)
  found[place(call.inst, told.calling or '', told.port or '', told.portid or '')] = nil
  if next(found) then redis.call('SET', key, waiting_text(found), 'KEEPTTL') else redis.call('DEL', key) end
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
local function limit(call, ask)
  local key = waiting_key(ask.tag, ask.owner)
  local logins = waiting(call.waiting[key], call.now)
  local alive, here = sessions(ask.tag, ask.owner, ask.place, call.now - ask.fresh)
  local n = 0
  for at in pairs(logins) do
    if at ~= ask.place and not alive[at] then n = n + 1 end
  end
  for _ in pairs(alive) do n = n + 1 end
  if n >= ask.limit then
    local tenant, sub = string.match(ask.owner, '^(%d+):(%d+)$')
    for _, session in pairs(call.look and {} or alive) do
      ledger.tell('opened:' .. ask.tag, 'probe', tenant, sub, session, ledger.text(call.now))
    end
    return 'refused'
  end
  -- A session that is here already counts by itself, and when it ends nothing of its logins is left.
  if not here and not call.look then
    logins[ask.place] = call.now + call.hold
    call.waiting[key] = waiting_text(logins)
    redis.call('SET', key, call.waiting[key], 'PX', call.hold)
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
  limit = function(call, args, i)
    return limit(call, { tag = args[i], owner = args[i + 1], place = args[i + 2], limit = tonumber(args[i + 3]), fresh = tonumber(args[i + 4]) })
  end,
  mac = function(call, args, i)
    return device({ now = call.now, look = call.look, tag = args[i], owner = args[i + 1], mac = args[i + 2], most = tonumber(args[i + 3]),
      mode = args[i + 4] })
  end,
  pool = function(call, args, i)
    local id = args[i]
    call.drawn[id] = call.drawn[id] or ledger.draw(call.now, id, call.terms[id])
    return call.drawn[id].lease({ sub = args[i + 1], holder = args[i + 2], one = args[i + 3] == '1', hold = tonumber(args[i + 4]) })
  end,
}
-- Arguments of each.
local PART = 5

-- The answers of one login, its parts from `i` on to before `after`; none behind one that is refused.
local function answer(call, args, i, after)
  local answers = {}
  while i < after do
    local found = parts[args[i]](call, args, i + 1)
    answers[#answers + 1] = found
    if found == 'refused' then break end
    i = i + 1 + PART
  end
  return answers
end

-- Read once for all: the logins that wait for a session of each subscription, and what logins of each pool ask for.
local function read_ahead(call, args, from)
  local keys, i = {}, from
  while i <= #args do
    for at = i + 1, i + tonumber(args[i]) * (1 + PART), 1 + PART do
      if args[at] == 'limit' then
        keys[#keys + 1] = waiting_key(args[at + 1], args[at + 2])
      elseif args[at] == 'pool' then
        local asked = call.terms[args[at + 1]].asked
        asked[#asked + 1], asked[#asked + 2] = 'h' .. args[at + 3], 's' .. args[at + 2]
      end
    end
    i = i + 1 + tonumber(args[i]) * (1 + PART)
  end
  if #keys == 0 then return end
  for n, text in ipairs(redis.call('MGET', unpack(keys))) do call.waiting[keys[n]] = text end
end

-- KEYS any key of the slot; ARGV now hold, how many pools and of each its number, seen, cool, settle, ranges; then of each login how many
-- parts, and those: a name and five arguments → of each login the answers of its parts, or {'error', text}
local function answer_all(args, look)
  local now = tonumber(args[1])
  local call, all, i = { now = now, look = look, hold = tonumber(args[2]), terms = {}, drawn = {}, waiting = {} }, {}, 4
  for _ = 1, tonumber(args[3]) do
    call.terms[args[i]] = { look = look, seen = tonumber(args[i + 1]), cool = tonumber(args[i + 2]), settle = tonumber(args[i + 3]),
      ranges = ledger.ranges(args[i + 4]), asked = {} }
    i = i + 5
  end
  read_ahead(call, args, i)
  while i <= #args do
    local after = i + 1 + tonumber(args[i]) * (1 + PART)
    -- What is wrong with one subscription keeps no other one out.
    local right, found = pcall(answer, call, args, i + 1, after)
    all[#all + 1] = right and found or { 'error', type(found) == 'table' and found.err or tostring(found) }
    i = after
  end
  local wrong
  for _, pool in pairs(look and {} or call.drawn) do
    local kept, problem = pcall(pool.keep)
    wrong = wrong or not kept and problem
  end
  if wrong then error(wrong) end
  return all
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
