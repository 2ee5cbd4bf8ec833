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

-- What the counters become: reads and computes. nil: a sum is out of range.
function ledger.count(call, s, up, down, from)
  local key = 'use:' .. call.tag .. ':' .. ledger.text(s.tenant) .. ':' .. ledger.text(s.sub)
  local fields, adds, last = { 'all:up', 'all:down' }, { up, down }, {}
  local args, to, n = call.args, call.event, 2
  local function add(name, more_up, more_down)
    fields[n + 1], adds[n + 1] = name .. ':up', more_up
    fields[n + 2], adds[n + 2] = name .. ':down', more_down
    n = n + 2
  end
  for i = 1, 3 do
    local edges = call.windows[i]
    local up_before, down_before = 0, 0
    if from < edges.begins then
      -- Earlier windows too. What lies before the first of them is not wanted any more.
      local edge = tonumber(args[edges.first])
      up_before, down_before = ledger.before(edge, up, from, to), ledger.before(edge, down, from, to)
      for at = edges.first, edges.last - 2 do
        edge = tonumber(args[at + 1])
        local ups, downs = ledger.before(edge, up, from, to), ledger.before(edge, down, from, to)
        if ups > up_before or downs > down_before then add(windows[i] .. args[at], ups - up_before, downs - down_before) end
        up_before, down_before = ups, downs
      end
    end
    if edges.since then
      last[i] = n + 1
      add(windows[i] .. args[edges.last - 1], up - up_before, down - down_before)
    end
  end
  local stored = redis.call('HMGET', key, unpack(fields))
  local set, had, has = {}, {}, {}
  for i = 1, n do
    had[i] = tonumber(stored[i] or 0)
    has[i] = had[i] + adds[i]
    if has[i] > ledger.MOST then return nil end
    set[2 * i - 1], set[2 * i] = fields[i], has[i]
  end
  local begins = {}
  for i, at in pairs(last) do
    if not stored[at] then begins[#begins + 1] = i end
  end
  return { key = key, set = set, begins = begins, crossed = crosses(call, last, had, has) }
end

-- Writes them; with the first bytes of a window the ones that are too old go.
function ledger.write_usage(call, counted)
  redis.call('HSET', counted.key, unpack(counted.set))
  if #counted.begins == 0 then return end
  local oldest = {}
  for _, i in ipairs(counted.begins) do oldest[windows[i]] = call.windows[i].begins - KEEP[i] end
  for _, field in ipairs(redis.call('HKEYS', counted.key)) do
    local name, start = string.match(field, '^(%l+:)(%d+):')
    if name and oldest[name] and tonumber(start) < oldest[name] then redis.call('HDEL', counted.key, field) end
  end
end
