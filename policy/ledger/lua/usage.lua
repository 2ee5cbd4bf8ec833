-- The counters of a subscription: all time, and per window of the tenant's calendar (`<kind>:<start>:<up|down>`).
local DAY = 86400000
-- How far behind the current window an older one is still kept: the previous one, and what a record a week late needs.
local KEEP = { 9 * DAY, 16 * DAY, 63 * DAY }
-- Nothing older is kept in any window: what was sent before counts for all time only.
local FURTHEST = 70 * DAY

-- nil when the windows reach back to `from`, else the instant since which they are wanted.
function ledger.wanted(call, from)
  local since = math.max(from, call.event - FURTHEST)
  for _, edges in ipairs(call.windows) do
    if edges[1] and edges[1] > since then return since end
  end
end

-- What the counters become: reads and computes. nil: a sum is out of range.
function ledger.count(call, s, up, down, from)
  local key = 'use:' .. call.tag .. ':' .. ledger.text(s.tenant) .. ':' .. ledger.text(s.sub)
  local fields, adds = { 'all:up', 'all:down' }, { up, down }
  local last = {}
  local ups, downs = ledger.before(up, from, call.event), ledger.before(down, from, call.event)
  for i, edges in ipairs(call.windows) do
    local name = ledger.WINDOWS[i]
    for j = 1, #edges - 1 do
      local current = j == #edges - 1
      local more_up, more_down = ups(edges[j + 1]) - ups(edges[j]), downs(edges[j + 1]) - downs(edges[j])
      if current or more_up > 0 or more_down > 0 then
        local at = name .. ':' .. ledger.text(edges[j])
        fields[#fields + 1], adds[#adds + 1] = at .. ':up', more_up
        fields[#fields + 1], adds[#adds + 1] = at .. ':down', more_down
        if current then last[i] = #fields - 1 end
      end
    end
  end
  local stored = redis.call('HMGET', key, unpack(fields))
  local set = {}
  local had, has = {}, {}
  for i, field in ipairs(fields) do
    had[i] = tonumber(stored[i] or '0')
    has[i] = had[i] + adds[i]
    if has[i] > ledger.MOST then return nil end
    set[2 * i - 1], set[2 * i] = field, ledger.text(has[i])
  end
  local crossed = false
  for _, threshold in ipairs(call.thresholds) do
    local at = last[threshold.window]
    if at then
      local function total(values)
        return (threshold.direction ~= 2 and values[at] or 0) + (threshold.direction ~= 1 and values[at + 1] or 0)
      end
      if total(had) < threshold.bytes and threshold.bytes <= total(has) then crossed = true end
    end
  end
  local begins = {}
  for i, at in pairs(last) do
    if not stored[at] then begins[#begins + 1] = i end
  end
  return { key = key, set = set, crossed = crossed, begins = begins }
end

-- Writes them; with the first bytes of a window the ones that are too old go.
function ledger.write_usage(call, counted)
  redis.call('HSET', counted.key, unpack(counted.set))
  if #counted.begins == 0 then return end
  local oldest = {}
  for _, i in ipairs(counted.begins) do
    local edges = call.windows[i]
    oldest[ledger.WINDOWS[i]] = edges[#edges - 1] - KEEP[i]
  end
  for _, field in ipairs(redis.call('HKEYS', counted.key)) do
    local name, start = string.match(field, '^(%l+):(%d+):')
    if name and oldest[name] and tonumber(start) < oldest[name] then redis.call('HDEL', counted.key, field) end
  end
end
