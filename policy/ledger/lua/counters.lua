-- Composes the 64-bit counters of a record and takes the delta to what its incarnation had.
local BITS32 = 4294967296

-- Octets that the plan's peak could have carried meanwhile, and half as many again.
local function plausible(s, call)
  local ms = call.event - s.cat
  if call.st and s.cst then ms = (call.st - s.cst) * 1000 end
  return 1.5 * call.peak / 8 * math.max(0, ms) / 1000
end

-- One direction, `up` or `down`: the delta, or false when it is out of range. Changes the tables only.
local function take(s, call, name, order, first)
  local octets, gigawords = call[name .. 'oct'], call[name .. 'gig']
  if not octets then return 0 end
  local seen = s[name .. 'gig']
  if not gigawords and seen == 2 then
    ledger.flag(s, call, 'gigaword_missing')
    return 0
  end
  local raw = ledger.compose(octets, gigawords or 0)
  if not raw then return false end
  if gigawords then s[name .. 'gig'] = math.max(seen, gigawords > 0 and 2 or 1) end
  local base = s[name .. 'base']
  local had = s[name] - base
  local delta = raw - had
  call.counted = true
  if delta < 0 then
    -- Only what is known to be later can have lost something.
    if order <= 0 or call.kind == 'start' then return 0 end
    local wrapped = BITS32 + delta
    if s[name .. 'gig'] == 0 and wrapped <= plausible(s, call) then
      ledger.flag(s, call, 'wrap')
      base, delta = base + BITS32, wrapped
    else
      ledger.flag(s, call, 'reset')
      base, delta = s[name], raw
    end
  elseif order < 0 and base > 0 then
    return 0
  elseif not first and call.peak > 0 and delta > plausible(s, call) and delta > 0 then
    ledger.flag(s, call, 'implausible')
  end
  if base + raw > ledger.MOST then return false end
  s[name], s[name .. 'base'] = base + raw, base
  return delta
end

-- The deltas of both directions and the instant they began to flow; nil when a counter is out of range.
function ledger.deltas(s, call, first)
  local order = ledger.order(s, call)
  local from = order > 0 and math.min(s.cat, call.event) or call.event
  if first then from = math.min(s.started, call.event) end
  local up = take(s, call, 'up', order, first)
  local down = up and take(s, call, 'down', order, first)
  if not down then return nil end
  if call.counted and (first or order > 0) then s.cat, s.cst = call.event, call.st end
  return up, down, from
end
