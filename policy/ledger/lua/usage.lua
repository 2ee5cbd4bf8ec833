-- The counters of a subscription: all time, and per window of the tenant's calendar (`<kind>:<start>:<up|down>`).
local DAY = 86400000
local ALL = 9007199254740991 -- later than any event
-- How far behind the current window an older one is still kept: the previous one, and what a record a week late needs.
local KEEP = { ['day:'] = 9 * DAY, ['week:'] = 16 * DAY, ['month:'] = 63 * DAY }
-- Nothing older is kept in any window: what was sent before counts for all time only.
local FURTHEST = 70 * DAY

-- nil when the windows reach back to `from`, else the instant since which they are wanted.
local function wanted(call, from)
  local since = math.max(from, call.event - FURTHEST)
  for i = 1, 3 do
    local edge = call.windows[i].since
    if edge and edge > since then return since end
  end
end

-- Whether usage was below a threshold of a window and no longer is. `had` and `has` hold up and down of window i at `at[i]`.
function ledger.crosses(limits, at, had, has)
  for _, limit in ipairs(limits) do
    local up = at[limit.window]
    if up then
      local before = (limit.direction ~= 2 and had[up] or 0) + (limit.direction ~= 1 and had[up + 1] or 0)
      local after = (limit.direction ~= 2 and has[up] or 0) + (limit.direction ~= 1 and has[up + 1] or 0)
      if before < limit.bytes and limit.bytes <= after then return true end
    end
  end
  return false
end

-- The shares of all windows: `fields`, what is added to each in `adds`, and where the last window of each kind stands in both.
-- `before(edge, bytes)`: how many of the bytes count and lie before the edge.
local function shares(call, up, down, from, before)
  local fields, adds, last = { 'all:up', 'all:down' }, { before(ALL, up), before(ALL, down) }, {}
  for i = 1, 3 do
    local window = call.windows[i]
    local edges, more_up, more_down = window.edges, adds[1], adds[2]
    if from < window.begins then
      local up_before, down_before = before(edges[1], up), before(edges[1], down)
      for j = 1, #edges - 2 do
        local ups, downs = before(edges[j + 1], up), before(edges[j + 1], down)
        if ups > up_before or downs > down_before then
          local n = #fields
          fields[n + 1], fields[n + 2] = ledger.window_fields(i, window.texts[j])
          adds[n + 1], adds[n + 2] = ups - up_before, downs - down_before
        end
        up_before, down_before = ups, downs
      end
      more_up, more_down = more_up - up_before, more_down - down_before
    end
    if window.since then
      local n = #fields
      fields[n + 1], fields[n + 2] = window.up, window.down
      adds[n + 1], adds[n + 2] = more_up, more_down
      last[i] = n + 1
    end
  end
  return fields, adds, last
end

-- What the record does to the usage of its subscription: reads and computes. Answers `since` when windows are wanted, `over` when a sum is
-- out of range, else what counts (`up`, `down`), what to `set`, which windows begin and whether a threshold is crossed.
function ledger.count(call, s, up, down, from)
  local key, to = ledger.usage_key(call, s), call.event
  local result = { key = key, up = up, down = down, set = {}, crossed = false, begins = nil, since = nil, over = false }
  local function plain(edge, bytes) return ledger.before(edge, bytes, from, to) end
  local fields, adds, last, stored
  local since = up + down > 0 and wanted(call, from)
  if up + down > 0 and not since then
    fields, adds, last = shares(call, up, down, from, plain)
    stored = redis.call('HMGET', key, 'meter', 'edges', 'limits', unpack(fields))
  else
    stored = redis.call('HMGET', key, 'meter', 'edges', 'limits')
  end
  local meter
  if s.sub == call.sub then
    meter = ledger.learn_facts(call, stored[1], stored[2], stored[3], result.set)
  elseif stored[1] then
    meter = ledger.stored_facts(stored[1], nil, nil).meter
  end
  if meter and up + down > 0 then
    local function metered(edge, bytes) return ledger.radius_before(meter, edge, bytes, from, to) end
    result.up, result.down = metered(ALL, up), metered(ALL, down)
    if result.up + result.down < up + down then call.flags[#call.flags + 1] = 'other_meter' end
    if result.up + result.down == 0 then
      fields, since = nil, nil
    elseif fields then
      fields, adds, last = shares(call, up, down, from, metered)
      stored = redis.call('HMGET', key, 'meter', 'edges', 'limits', unpack(fields))
    end
  end
  if since then
    result.since = since
  elseif fields then
    ledger.add(result, fields, adds, stored, 3)
    if not result.over then
      result.crossed = #call.thresholds > 0 and ledger.crosses(call.thresholds, last, result.had, result.has)
      for i, at in pairs(last) do
        if not stored[at + 3] then ledger.begins(result, i, call.windows[i].begins) end
      end
    end
  end
  return result
end

-- Adds up; `stored[offset + i]` is the counter of `fields[i]`. `over`: a sum is out of range.
function ledger.add(result, fields, adds, stored, offset)
  local set, had, has = result.set, {}, {}
  local n = #set
  for i = 1, #fields do
    local before = stored[offset + i] and tonumber(stored[offset + i]) or 0
    local after = before + adds[i]
    if after > ledger.MOST then
      result.over = true
      return
    end
    had[i], has[i] = before, after
    set[n + 2 * i - 1], set[n + 2 * i] = fields[i], after
  end
  result.had, result.has = had, has
end

-- A window gets its first bytes.
function ledger.begins(result, i, begins)
  result.begins = result.begins or {}
  result.begins[i] = begins
end

-- Writes them; with the first bytes of a window the ones that are too old go.
function ledger.write_usage(result)
  if #result.set > 0 then redis.call('HSET', result.key, unpack(result.set)) end
  if not result.begins then return end
  local oldest = {}
  for i, begins in pairs(result.begins) do
    local prefix = i == 1 and 'day:' or i == 2 and 'week:' or 'month:'
    oldest[prefix] = begins - KEEP[prefix]
  end
  for _, field in ipairs(redis.call('HKEYS', result.key)) do
    local name, start = string.match(field, '^(%l+:)(%d+):')
    if name and oldest[name] and tonumber(start) < oldest[name] then redis.call('HDEL', result.key, field) end
  end
end
