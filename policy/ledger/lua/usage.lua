-- The counters of a subscription, up and down packed: `all` for all time, and per window of the tenant's calendar `<kind>:<start>`.
local DAY = 86400000
local ALL = 9007199254740991 -- later than any event
local COUNT = '<I7I7'
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

-- Usage was below the threshold and no longer is.
local function reaches(limit, had_up, had_down, up, down)
  local before = (limit.direction ~= 2 and had_up or 0) + (limit.direction ~= 1 and had_down or 0)
  local after = (limit.direction ~= 2 and up or 0) + (limit.direction ~= 1 and down or 0)
  return before < limit.bytes and limit.bytes <= after
end

-- Whether a threshold of any window is reached. `counters[at[i]]` is the one of window i.
function ledger.crosses(limits, at, counters)
  for i = 1, #limits do
    local counter = counters[at[limits[i].window]]
    if counter and reaches(limits[i], counter.had_up, counter.had_down, counter.up, counter.down) then return true end
  end
  return false
end

-- The names of all counters that the bytes are for, what is added to each, and where the last window of each kind stands among them.
-- `before(edge, bytes)`: how many of the bytes count and lie before the edge.
local function shares(call, up, down, from, before)
  local names, ups, downs, last = { 'all' }, { before(ALL, up) }, { before(ALL, down) }, {}
  for i = 1, 3 do
    local window = call.windows[i]
    local edges, more_up, more_down = window.edges, ups[1], downs[1]
    if from < window.begins then
      local up_before, down_before = before(edges[1], up), before(edges[1], down)
      for j = 1, #edges - 2 do
        local up_after, down_after = before(edges[j + 1], up), before(edges[j + 1], down)
        if up_after > up_before or down_after > down_before then
          local n = #names + 1
          names[n], ups[n], downs[n] = ledger.window_name(i, window.texts[j]), up_after - up_before, down_after - down_before
        end
        up_before, down_before = up_after, down_after
      end
      more_up, more_down = more_up - up_before, more_down - down_before
    end
    if window.since then
      local n = #names + 1
      names[n], ups[n], downs[n], last[i] = window.name, more_up, more_down, n
    end
  end
  return names, ups, downs, last
end

-- A stored counter with more added; nil when it is out of range.
function ledger.add(stored, more_up, more_down)
  local up, down = 0, 0
  if stored then up, down = struct.unpack(COUNT, stored) end
  if up + more_up > ledger.MOST or down + more_down > ledger.MOST then return nil end
  return { had_up = up, had_down = down, up = up + more_up, down = down + more_down, fresh = not stored }
end

function ledger.pack_count(counter)
  return struct.pack(COUNT, counter.up, counter.down)
end

-- Adds up all of them into `result`: what to set, which windows begin, whether a threshold is crossed. `over`: a sum is out of range.
local function add_all(call, result, names, ups, downs, last, stored)
  local set, counters = result.set, {}
  local n = #set
  for i = 1, #names do
    local counter = ledger.add(stored[3 + i], ups[i], downs[i])
    if not counter then
      result.over = true
      return
    end
    counters[i] = counter
    set[n + 2 * i - 1], set[n + 2 * i] = names[i], ledger.pack_count(counter)
  end
  result.crossed = #call.thresholds > 0 and ledger.crosses(call.thresholds, last, counters)
  for i, at in pairs(last) do
    if counters[at].fresh then ledger.begins(result, i, call.windows[i].begins) end
  end
end

-- The same of what flowed since the windows of all kinds began, as nearly all does: to every counter the same is added.
local function add_to_all(call, result, up, down, stored)
  local set, windows, limits = result.set, call.windows, call.thresholds
  local n = #set
  for i = 1, 4 do
    local had = stored[3 + i]
    local had_up, had_down = 0, 0
    if had then had_up, had_down = struct.unpack(COUNT, had) end
    local now_up, now_down = had_up + up, had_down + down
    if now_up > ledger.MOST or now_down > ledger.MOST then
      result.over = true
      return
    end
    set[n + 2 * i - 1], set[n + 2 * i] = windows.names[i], struct.pack(COUNT, now_up, now_down)
    if i > 1 then
      if not had then ledger.begins(result, i - 1, windows[i - 1].begins) end
      for j = 1, #limits do
        local limit = limits[j]
        if limit.window == i - 1 and reaches(limit, had_up, had_down, now_up, now_down) then result.crossed = true end
      end
    end
  end
end

-- What the record does to the usage of its subscription: reads and computes. Answers `since` when windows are wanted, `over` when a sum is
-- out of range, else what counts (`up`, `down`), what to `set`, which windows begin and whether a threshold is crossed.
function ledger.count(call, s, up, down, from)
  local key, to = ledger.usage_key(call, s), call.event
  local result = { key = key, up = up, down = down, set = {}, crossed = false, begins = nil, since = nil, over = false }
  local function plain(edge, bytes) return ledger.before(edge, bytes, from, to) end
  local names, ups, downs, last, stored
  local now = call.windows.names and from >= call.windows.since
  local since = not now and up + down > 0 and wanted(call, from)
  if now and up + down > 0 then
    names = call.windows.names
    stored = redis.call('HMGET', key, 'meter', 'edges', 'limits', names[1], names[2], names[3], names[4])
  elseif up + down > 0 and not since then
    names, ups, downs, last = shares(call, up, down, from, plain)
    stored = redis.call('HMGET', key, 'meter', 'edges', 'limits', unpack(names))
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
      names, since = nil, nil
    elseif names and not now then
      names, ups, downs, last = shares(call, up, down, from, metered)
      stored = redis.call('HMGET', key, 'meter', 'edges', 'limits', unpack(names))
    end
  end
  if since then
    result.since = since
  elseif names and now then
    add_to_all(call, result, result.up, result.down, stored)
  elseif names then
    add_all(call, result, names, ups, downs, last, stored)
  end
  return result
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
    local name, start = string.match(field, '^(%l+:)(%d+)$')
    if name and oldest[name] and tonumber(start) < oldest[name] then redis.call('HDEL', result.key, field) end
  end
end
