-- Which incarnation of a session a record belongs to: by boots, subscriptions, Class of a Start, and the order of event time and Session-Time.
local APART_MS = 60000
local START_MS = 2000

-- The session began before the boot by its own Session-Time, and as this incarnation did: the boot did not end it.
local function outlived(s, call, boot)
  if not call.st or not s.stime or call.st == 0 then return false end
  local began = call.event - call.st * 1000
  return began < boot and math.abs(began - (s.sat - s.stime * 1000)) <= APART_MS
end

local function by_boot(s, call)
  for _, boot in ipairs(call.boots) do
    if call.event < boot and boot <= s.first and not outlived(s, call, boot) then return 'earlier' end
    if s.last <= boot and boot <= call.event and s.last < call.event and not outlived(s, call, boot) then return 'later' end
  end
end

local function by_start(s, call)
  local ends = s.stop or s.last
  if s.uuid and call.uuid ~= '' then return call.event >= ends and 'later' or 'earlier' end
  if s.state == 'closed' then return call.event > ends + START_MS and 'later' or 'same' end
  local apart = call.event - s.last + (s.stime or 0) * 1000
  return call.event > s.last and apart > APART_MS and 'later' or 'same'
end

-- Records that do not carry the same Class: a session begins behind what came before it. Without two Classes to differ a minute is allowed for.
local function by_span(s, call)
  local other = s.uuid and call.uuid ~= ''
  local slack = other and 0 or APART_MS
  local began = call.st and call.event - call.st * 1000
  if s.began ~= 'unknown' and call.event <= s.started - slack then return 'earlier' end
  if began and s.why == 'stop' and began >= s.stop + slack then return 'later' end
  if other and began and s.stime then
    local apart = began - (s.sat - s.stime * 1000)
    if math.abs(apart) > APART_MS then return apart > 0 and 'later' or 'earlier' end
  end
end

-- Event time and Session-Time cannot both be right: one moment is later by one and earlier by the other, by more than a minute in all.
-- An earlier session of the same id has ended when the next begins: an event within this one is no earlier session's, its clock was set back.
local function by_order(s, call)
  if not call.st or not s.stime then return nil end
  local events, times = call.event - s.sat, (call.st - s.stime) * 1000
  if events > 0 and times < 0 and events - times > APART_MS then return 'later' end
  local other = s.uuid and call.uuid ~= '' and s.uuid ~= call.uuid
  local within = not other and s.began ~= 'unknown' and call.event > s.started + APART_MS
  if events < 0 and times > 0 and times - events > APART_MS and not within then return 'earlier' end
end

-- The record lies `same`, `later` or `earlier` than the incarnation.
local function relation(s, call)
  local class = s.uuid and s.uuid == call.uuid
  if call.kind == 'start' and class then return 'same' end
  local boot = by_boot(s, call)
  if boot then return boot end
  if s.sub ~= call.sub and s.sub ~= 0 and call.sub ~= 0 then return call.event > s.last and 'later' or 'earlier' end
  if call.kind == 'start' then return by_start(s, call) end
  return not class and by_span(s, call) or by_order(s, call) or 'same'
end

-- The incarnation of the record, as loaded; or nil and where a new one goes: `later` than all, or behind the `after` oldest tombstones.
function ledger.place(s, call)
  local where = relation(s, call)
  if where == 'same' and (not s.olds or call.uuid == '' or call.uuid == s.uuid) then return s end
  local list = ledger.olds(s)
  if call.uuid ~= '' and call.uuid ~= s.uuid then
    for _, entry in ipairs(list) do
      local old = entry.uuid == call.uuid and ledger.load(ledger.old_key(s.key, entry.inc))
      if old then return old end
    end
  end
  if where == 'same' then return s end
  if where == 'later' then return nil, 'later', list end
  -- A login whose counters began anew may have several incarnations. A new one before the first it never has: a clock was set back.
  local class = call.uuid ~= '' and call.uuid == s.uuid
  for i = #list, 1, -1 do
    local old = (not class or list[i].uuid == call.uuid) and ledger.load(ledger.old_key(s.key, list[i].inc))
    local found = old and relation(old, call) or 'earlier'
    if found == 'same' then return old end
    if found == 'later' and not class then return nil, 'before', list, i end
  end
  if class then return s end
  return nil, 'before', list, 0
end

-- 1: the record is later than the counters last taken, -1: earlier, 0: nobody knows.
function ledger.order(s, call)
  if call.st and s.cst and (call.st ~= s.cst or call.st > 0) then
    return call.st > s.cst and 1 or call.st < s.cst and -1 or 0
  end
  return call.event > s.cat and 1 or call.event < s.cat and -1 or 0
end
