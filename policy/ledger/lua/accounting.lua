-- One accounting record into the ledger, once. Everything is decided before the first write: there is no rollback.
local WEEK = 7 * 86400000
local MOST_QUARANTINED = 10000

local function pass(call)
  redis.call('HSET', call.keys.lanes, call.wal, call.position)
end

local function quarantine(call, args, reason)
  redis.call('XADD', call.keys.quarantine, 'MAXLEN', '~', MOST_QUARANTINED, '*', 'reason', reason, unpack(ledger.told(args)))
  pass(call)
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

local function apply(keys, args)
  local call = ledger.parse(args)
  call.keys = { lanes = keys[1], live = keys[3], nas = keys[4], enforce = keys[5], quarantine = keys[6], boots = keys[7] }
  local stored = tonumber(redis.call('HGET', keys[1], call.wal) or '0')
  if call.position <= stored then return { 'duplicate' } end
  if call.previous ~= stored then return { 'gap', stored } end
  if call.invalid then return quarantine(call, args, 'invalid_' .. call.invalid) end
  call.st = session_time(call)
  if call.kind == 'on' or call.kind == 'off' then
    ledger.note_boots(call, { call.event })
    ledger.close_booted(call, call.event, 50)
    pass(call)
    return { 'applied', 0, '', 0, 0, 0, 0 }
  end

  local boots, fresh = ledger.boots(call)
  call.boots = boots
  local current = ledger.load(keys[2])
  local s, where, list, after
  if current then s, where, list, after = ledger.place(current, call) end
  local first = not s
  if first then
    if call.received - call.event > WEEK then return quarantine(call, args, 'too_old') end
    local started = math.max(0, call.event - (call.st or 0) * 1000)
    local inc = current and current.next or 1
    local key = where == 'before' and ledger.old_key(keys[2], ledger.text(inc)) or keys[2]
    s = ledger.create(call, key, inc, started)
    if call.kind ~= 'start' then ledger.flag(s, call, 'lost_start') end
  end
  local baseline = first and call.adopted and s.started < call.adopted
  local closed = s.state == 'closed'
  local up, down, from = ledger.deltas(s, call, first)
  if not up then return quarantine(call, args, 'counter_out_of_range') end
  if baseline then
    up, down = 0, 0
    ledger.flag(s, call, 'baseline')
  end
  local counted
  if up + down > 0 and s.sub ~= 0 then
    local since = ledger.wanted(call, from)
    if since then return { 'need_windows', since } end
    counted = ledger.count(call, s, up, down, from)
    if not counted then return quarantine(call, args, 'counter_out_of_range') end
  end

  -- From here on only writes.
  if fresh then ledger.note_boots(call, {}) end
  local change = ''
  if where == 'later' then
    ledger.bury(call, current)
    ledger.remember(s, keys[2], list, #list, current)
  elseif where == 'before' then
    current.next = s.inc + 1
    ledger.remember(current, keys[2], list, after, s)
    ledger.save(current, call, false)
  end
  local newest = call.event >= s.last
  if math.floor(call.event / 86400000) > math.floor(s.last / 86400000) then change = s.state end
  if not newest then call.flags[#call.flags + 1] = 'late' end
  s.last, s.first = math.max(s.last, call.event), math.min(s.first, call.event)
  if call.st and (not s.stime or call.st > s.stime) then s.stime, s.sat = call.st, call.event end
  if s.began == 'unknown' then s.started = s.first end
  if call.kind == 'start' and (s.began == 'unknown' or s.began == 'lost' and math.abs(call.event - s.started) <= 60000) then
    s.began, s.started = 'start', call.event
  end
  if not s.uuid and call.uuid ~= '' then s.uuid = call.uuid end

  if call.kind == 'stop' then s.tcause = args[31] end

  local is_current = s.key == keys[2]
  if not is_current then
    s.state = 'closed'
    if not s.why or call.kind == 'stop' then s.why, s.stop = call.kind == 'stop' and 'stop' or 'replaced', call.event end
  elseif call.kind == 'stop' then
    if s.why ~= 'stop' then
      change = 'closed'
      if first or closed then
        s.state, s.why, s.stop = 'closed', 'stop', call.event
        if first then ledger.event(call, 'closed', s, call.event) end
      else
        ledger.close(call, s, 'stop', call.event)
      end
    end
  elseif first then
    ledger.open(call, s)
    ledger.close_silent(call)
    change = 'open'
  elseif closed and lives_on(s, call) then
    ledger.open(call, s)
    ledger.flag(s, call, 'reopened')
    change = 'open'
  elseif closed then
    if s.why == 'boot' then s.stop = s.last end
    if call.event > s.stop then call.flags[#call.flags + 1] = 'after_stop' end
  end
  if s.state == 'open' and (newest or change == 'open') then ledger.touch(call, s) end
  ledger.save(s, call, newest)
  if counted then
    ledger.write_usage(call, counted)
    if counted.crossed then ledger.event(call, 'crossed', s, call.event) end
  end
  pass(call)
  local crossed = counted and counted.crossed and 1 or 0
  return { 'applied', crossed, is_current and change or '', s.inc, s.last, s.sub, fresh and 1 or 0, unpack(call.flags) }
end

redis.register_function('accounting_apply', apply)
