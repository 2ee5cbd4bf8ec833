-- Accounting records into the ledger, each once. Of each everything is decided before the first write: there is no rollback.
local DAY = 86400000
local WEEK = 7 * DAY
local START_MS = 60000 -- so much a Start may differ from the beginning that Session-Time told
local MOST_QUARANTINED = 10000

local function quarantine(call, lane, reason)
  redis.call('XADD', call.keys.quarantine, 'MAXLEN', '~', MOST_QUARANTINED, '*', 'reason', reason, unpack(ledger.told(call)))
  ledger.pass(lane)
  return { 'quarantined', reason }
end

-- The Disconnect was sent and failed: an interim after the Stop is the session living on.
local function disconnect_failed(s)
  local sent, cause = unpack(redis.call('HMGET', s.key, 'sent', 'cause'))
  return sent and cause and cause ~= '' and (sent == 'disconnect' or string.find(sent, '^reject:'))
end

-- Only a Stop is the NAS's own word. A later interim opens a session again that was closed by inference, or whose Disconnect failed.
local function lives_on(s, call)
  if call.kind ~= 'interim' or call.event <= s.stop then return false end
  local boot = call.boots[#call.boots]
  if s.why == 'stop' then return disconnect_failed(s) end
  return not boot or boot <= call.event
end

-- Session-Time 0 of a session that sent something is no time at all; a Start is at its beginning whatever it says.
local function session_time(call)
  if call.kind == 'start' then return 0 end
  local sent = (call.upoct or 0) + (call.downoct or 0) + (call.upgig or 0) + (call.downgig or 0) > 0
  if call.st == 0 and sent then return nil end
  return call.st
end

-- What the record tells of the incarnation besides counters; answers whether it is its newest.
local function observe(s, call)
  local newest = call.event >= s.last
  if not newest then call.flags[#call.flags + 1] = 'late' end
  s.last, s.first = math.max(s.last, call.event), math.min(s.first, call.event)
  if call.st and (not s.stime or call.st > s.stime) then s.stime, s.sat = call.st, call.event end
  if s.began == 'unknown' then s.started = s.first end
  if call.kind == 'start' and (s.began == 'unknown' or s.began == 'lost' and math.abs(call.event - s.started) <= START_MS) then
    s.began, s.started = 'start', call.event
  end
  if not s.uuid and call.uuid ~= '' then s.uuid = call.uuid end
  if call.kind == 'stop' then s.tcause = call.tcause end
  return newest
end

-- A tombstone stays closed; a Stop tells when.
local function settle_old(s, call)
  s.state = 'closed'
  if call.kind == 'stop' then
    s.why, s.stop = 'stop', call.event
  elseif not s.why then
    s.why, s.stop = 'replaced', call.event
  end
end

-- Opens, closes or leaves the newest incarnation; answers what it became: 'open', 'closed' or nil.
local function settle(s, call, first, lane)
  local closed = s.state == 'closed'
  if call.kind == 'stop' then
    if s.why == 'stop' then return nil end
    if first or closed then
      s.state, s.why, s.stop = 'closed', 'stop', call.event
    else
      ledger.close(call, s, 'stop', call.event)
    end
    return 'closed'
  end
  if first then
    ledger.open(call, s)
    ledger.close_silent(call, lane)
    return 'open'
  end
  if not closed then return nil end
  if lives_on(s, call) then
    ledger.open(call, s)
    ledger.flag(s, call, 'reopened')
    return 'open'
  end
  if s.why == 'boot' then s.stop = s.last end
  if call.event > s.stop then call.flags[#call.flags + 1] = 'after_stop' end
end

-- A new incarnation, not yet written. `current`: the newest there is, if any.
local function begin(call, current, where, session_key)
  local inc = current and current.next or 1
  local key = where == 'before' and ledger.old_key(session_key, ledger.text(inc)) or session_key
  local s = ledger.create(call, key, inc, math.max(0, call.event - (call.st or 0) * 1000))
  if call.kind ~= 'start' then ledger.flag(s, call, 'lost_start') end
  return s
end

-- → {'duplicate'}, {'gap', stored}, {'need_windows', since}, {'quarantined', reason} or
-- {'applied', crossed, what the directory should say or '', incarnation, last event, subscription, new boots, flags...}, mostly just 1:
-- applied, and nothing more to say.
local function apply(call, lane)
  local refused = ledger.refuse(lane, call.previous, call.position)
  if refused then return refused end
  if call.invalid ~= '' then return quarantine(call, lane, 'invalid_' .. string.match(call.invalid, '^[^=]*')) end
  if call.kind == 'on' or call.kind == 'off' then
    -- A boot counts nothing: it has no entry in the outbox.
    ledger.note_boots(call, { call.event })
    ledger.pass(lane)
    return { 'applied', 0, '', 0, 0, 0, 0 }
  end

  ledger.complete(call)
  call.st = session_time(call)
  local fresh
  call.boots, fresh = ledger.boots(call)
  local current = ledger.load(call.key)
  local s, where, list, after
  if current then s, where, list, after = ledger.place(current, call) end
  local first = not s
  if first then
    if call.received - call.event > WEEK then return quarantine(call, lane, 'too_old') end
    s = begin(call, current, where, call.key)
  end
  local up, down, from = ledger.deltas(s, call, first)
  if not up then return quarantine(call, lane, 'counter_out_of_range') end
  if first and call.adopted and s.started < call.adopted then
    up, down = 0, 0
    ledger.flag(s, call, 'baseline')
  end
  local counted
  if s.sub ~= 0 then
    counted = ledger.count(call, s, up, down, from)
    if counted.since then return { 'need_windows', counted.since } end
    if counted.over then return quarantine(call, lane, 'counter_out_of_range') end
    up, down = counted.up, counted.down
  end

  -- From here on it is written.
  if fresh then ledger.note_boots(call, {}) end
  if where == 'later' then
    ledger.bury(call, current)
    ledger.remember(s, call.key, list, #list, current)
  elseif where == 'before' then
    current.next = s.inc + 1
    ledger.remember(current, call.key, list, after, s)
    ledger.save(current, call, false)
  end
  local another_day = math.floor(call.event / DAY) > math.floor(s.last / DAY)
  local class = s.uuid
  local newest = observe(s, call)
  local change
  if s.key == call.key then
    change = settle(s, call, first, lane) or another_day and s.state
    if s.state == 'open' and change then ledger.touch(call, s) end
  else
    settle_old(s, call)
    if s.uuid ~= class then
      ledger.name_old(current, s)
      ledger.save(current, call, false)
    end
  end
  ledger.save(s, call, newest)
  local crossed = counted and counted.crossed
  if counted then ledger.write_usage(counted) end
  if crossed then ledger.event(call, 'crossed', s, call.event) end
  ledger.emit(lane, {
    meter = 'radius', kind = call.kind, part = 0, tenant = s.tenant, sub = s.sub, from = from, event = call.event,
    received = call.received, up = up, down = down, flags = call.flags,
  }, ledger.told_session(s, call, s.key == call.key))
  ledger.pass(lane)
  if not crossed and not change and not fresh and #call.flags == 0 then return 1 end
  return { 'applied', crossed and 1 or 0, change or '', s.inc, s.last, s.sub, fresh and 1 or 0, unpack(call.flags) }
end

-- KEYS lanes; ARGV WAL, generation, tag, records, then texts that records name by number
-- → for each record its answer, or {'error', message}. A record that fails leaves the others alone: its lane refuses what follows it.
local function apply_all(keys, args)
  local lane, names = ledger.lane(keys[1], args[1], args[2]), ledger.names(args[3])
  local packed, texts, answers, at = args[4], { unpack(args, 5) }, {}, 1
  while at <= #packed do
    local call
    call, at = ledger.parse(packed, at, texts, names, lane)
    local ok, answer = pcall(apply, call, lane)
    answers[#answers + 1] = ok and answer or { 'error', type(answer) == 'table' and answer.err or tostring(answer) }
  end
  ledger.keep(lane, names)
  return answers
end

ledger.register('accounting_apply', apply_all)
