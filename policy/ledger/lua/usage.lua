-- The counters of a subscription: all time, and per window of the tenant's calendar (`<kind>:<start>:<up|down>`).
local DAY = 86400000
local windows = { 'day:', 'week:', 'month:' }
-- How far behind the current window an older one is still kept: the previous one, and what a record a week late needs.
local KEEP = { 9 * DAY, 16 * DAY, 63 * DAY }
-- Nothing older is kept in any window: what was sent before counts for all time only.
local FURTHEST = 70 * DAY

-- nil when the windows reach back to `from`, else the instant since which they are wanted.
function ledger.wanted(call, from)
  local since = math.max(from, call.event - FURTHEST)
  for i = 1, 3 do
    local edge = call.windows[i].since
    if edge and edge > since then return since end
  end
end

-- Whether the usage of a window was below a threshold and no longer is. `last`: where the counters of each current window stand.
local function crosses(call, last, had, has)
  for at = call.thresholds + 1, call.thresholds + 3 * call.thresholds_count, 3 do
    local up = last[tonumber(call.args[at])]
    local direction, bytes = call.args[at + 1], tonumber(call.args[at + 2])
    if up then
      local before = (direction ~= '2' and had[up] or 0) + (direction ~= '1' and had[up + 1] or 0)
      local after = (direction ~= '2' and has[up] or 0) + (direction ~= '1' and has[up + 1] or 0)
      if before < bytes and bytes <= after then return true end
    end
  end
  return false
end

-- Adds the shares of the windows of a kind before the last one; answers what is left for the last.
local function earlier_windows(call, i, up, down, from, fields, adds)
  local args, edges, to = call.args, call.windows[i], call.event
  local edge = tonumber(args[edges.first])
  local up_before, down_before = ledger.before(edge, up, from, to), ledger.before(edge, down, from, to)
  for at = edges.first, edges.last - 2 do
    edge = tonumber(args[at + 1])
    local ups, downs = ledger.before(edge, up, from, to), ledger.before(edge, down, from, to)
    if ups > up_before or downs > down_before then
      local n, name = #fields, windows[i] .. args[at]
      fields[n + 1], fields[n + 2] = name .. ':up', name .. ':down'
      adds[n + 1], adds[n + 2] = ups - up_before, downs - down_before
    end
    up_before, down_before = ups, downs
  end
  return up - up_before, down - down_before
end

-- What the counters become: reads and computes. nil: a sum is out of range.
function ledger.count(call, s, up, down, from)
  local key = ledger.usage_key(call, s)
  local fields, adds, last = { 'all:up', 'all:down' }, { up, down }, {}
  for i = 1, 3 do
    local edges = call.windows[i]
    local more_up, more_down = up, down
    if from < edges.begins then more_up, more_down = earlier_windows(call, i, up, down, from, fields, adds) end
    if edges.since then
      local n, start = #fields, call.args[edges.last - 1]
      fields[n + 1], fields[n + 2] = windows[i] .. start .. ':up', windows[i] .. start .. ':down'
      adds[n + 1], adds[n + 2] = more_up, more_down
      last[i] = n + 1
    end
  end
  local stored = redis.call('HMGET', key, unpack(fields))
  local set, had, has = {}, {}, {}
  for i = 1, #fields do
    local before = stored[i] and tonumber(stored[i]) or 0
    local after = before + adds[i]
    if after > ledger.MOST then return nil end
    had[i], has[i] = before, after
    set[2 * i - 1], set[2 * i] = fields[i], after
  end
  local begins
  for i, at in pairs(last) do
    if not stored[at] then
      begins = begins or {}
      begins[#begins + 1] = i
    end
  end
  return { key = key, set = set, begins = begins, crossed = call.thresholds_count > 0 and crosses(call, last, had, has) }
end

-- Writes them; with the first bytes of a window the ones that are too old go.
function ledger.write_usage(call, counted)
  redis.call('HSET', counted.key, unpack(counted.set))
  if not counted.begins then return end
  local oldest = {}
  for _, i in ipairs(counted.begins) do oldest[windows[i]] = call.windows[i].begins - KEEP[i] end
  for _, field in ipairs(redis.call('HKEYS', counted.key)) do
    local name, start = string.match(field, '^(%l+:)(%d+):')
    if name and oldest[name] and tonumber(start) < oldest[name] then redis.call('HDEL', counted.key, field) end
  end
end
