-- What calls tell of a subscription besides its bytes: its calendar windows, the thresholds of its tariff and which meter counts. The
-- usage hash keeps the newest (`edges`, `limits`, `meter`, packed), so that flow usage, which comes without them, is counted by them.
local MOST_KNOWN = 1000
local KINDS = { 'day:', 'week:', 'month:' }
local EDGES = '<I6I6I6I6I6I6I6I6I6' -- of day, week and month: begin of the window before, begin, end
local LIMIT = '<BBI7' -- window 1 to 3; direction 0 total, 1 up, 2 down; bytes
local METER = '<BI6I6' -- 1: flow counts; since when; since when the meter before it did (0: always)

-- Texts that come with thousands of calls are read once.
local function remember(read)
  local known, count = {}, 0
  return function(text)
    local found = known[text]
    if not found then
      if count >= MOST_KNOWN then known, count = {}, 0 end
      found = read(text)
      known[text], count = found, count + 1
    end
    return found
  end
end

-- `<edge>,<edge>,…` of each kind behind `;`: windows have no gaps, so their starts and the end of the last say all.
ledger.windows = remember(function(text)
  local windows, packed = {}, {}
  for edges in string.gmatch(text, '([%d,]*);') do
    local i = #windows + 1
    local window = { prefix = KINDS[i], edges = {}, texts = {}, begins = 0, ends = 0, since = nil }
    for edge in string.gmatch(edges, '%d+') do
      window.edges[#window.edges + 1], window.texts[#window.texts + 1] = tonumber(edge), edge
    end
    local count = #window.edges
    if count == 1 or i > 3 then error({ err = 'ERR the windows of the call are wrong' }) end
    if count > 0 then
      window.since, window.begins, window.ends = window.edges[1], window.edges[count - 1], window.edges[count]
      window.name = ledger.window_name(i, window.texts[count - 1])
      packed[#packed + 1], packed[#packed + 2] = window.edges[count - 2] or window.begins, window.begins
      packed[#packed + 1] = window.ends
    end
    windows[i] = window
  end
  if #windows ~= 3 then error({ err = 'ERR the windows of the call are wrong' }) end
  if #packed == 9 then
    windows.packed = struct.pack(EDGES, unpack(packed))
    -- The counters of what flowed since all three began, which is mostly all of it.
    windows.since = math.max(windows[1].begins, windows[2].begins, windows[3].begins)
    windows.names = { 'all', windows[1].name, windows[2].name, windows[3].name }
  end
  return windows
end)

-- `<window>,<direction>,<bytes>;` of each.
ledger.thresholds = remember(function(text)
  local list, packed = {}, {}
  for window, direction, bytes in string.gmatch(text, '(%d),(%d),(%d+);') do
    local limit = { window = tonumber(window), direction = tonumber(direction), bytes = tonumber(bytes) }
    list[#list + 1], packed[#packed + 1] = limit, struct.pack(LIMIT, limit.window, limit.direction, limit.bytes)
  end
  list.packed = table.concat(packed)
  return list
end)

local read_edges = remember(function(packed)
  local list = { struct.unpack(EDGES, packed) }
  local edges = {}
  for i = 1, 3 do edges[i] = { before = list[3 * i - 2], begins = list[3 * i - 1], ends = list[3 * i] } end
  return edges
end)

local read_limits = remember(function(packed)
  local list = {}
  for at = 1, #packed, 9 do
    local window, direction, bytes = struct.unpack(LIMIT, packed, at)
    list[#list + 1] = { window = window, direction = direction, bytes = bytes }
  end
  return list
end)

function ledger.window_name(i, start)
  return KINDS[i] .. start
end

-- The meter as it is stored: `flow` counts, or RADIUS, since `since`; from `before` on the other did, and before that this one again.
local function read_meter(packed)
  if not packed then return { flow = false, since = 0, before = 0 } end
  local flow, since, before = struct.unpack(METER, packed)
  return { flow = flow == 1, since = since, before = before }
end

-- Takes what a caller knows into it; answers whether something was new. Callers may lag: the later switch stands whoever tells it first.
-- Of two that name none flow stands, since RADIUS is what is said of a subscription nobody knows.
local function learn(meter, flow, since)
  if since > meter.since then
    meter.flow, meter.since, meter.before = flow, since, meter.since
  elseif since == meter.since and since == 0 and flow and not meter.flow then
    meter.flow = true
  elseif since < meter.since and since > meter.before then
    meter.before = since
  else
    return false
  end
  return true
end

local function pack_meter(meter)
  return struct.pack(METER, meter.flow and 1 or 0, meter.since, meter.before)
end

-- Merges the facts of a call into the stored ones (`meter`, `edges`, `limits`; false where there are none). Adds to `set` what changed;
-- answers the meter, or nil when RADIUS counts and always has.
function ledger.learn_facts(call, stored_meter, stored_edges, stored_limits, set)
  local flow, since = call.flow, call.since
  local n = #set
  local edges = call.windows.packed
  if edges and edges ~= stored_edges and (not stored_edges or call.event >= read_edges(stored_edges)[1].begins) then
    set[n + 1], set[n + 2] = 'edges', edges
    n = n + 2
  end
  local limits = call.thresholds.packed
  if limits ~= (stored_limits or '') then
    set[n + 1], set[n + 2] = 'limits', limits
    n = n + 2
  end
  if not stored_meter and not flow and since == 0 then return nil end
  local meter = read_meter(stored_meter)
  if learn(meter, flow, since) then set[n + 1], set[n + 2] = 'meter', pack_meter(meter) end
  return meter
end

-- What flow usage is counted by. `edges` is nil before the first accounting call.
function ledger.stored_facts(meter, edges, limits)
  return { meter = read_meter(meter), edges = edges and read_edges(edges), limits = read_limits(limits or '') }
end

-- Whether flow counts what flowed from the instant on.
function ledger.flow_counts(meter, at)
  if at >= meter.since or at < meter.before then return meter.flow end
  return not meter.flow
end

-- The bytes that RADIUS counts of those before the edge; what it leaves is exactly the other meter's.
function ledger.radius_before(meter, edge, bytes, from, to)
  local switched = ledger.before(math.min(edge, meter.since), bytes, from, to)
  if meter.before > 0 then switched = switched - ledger.before(math.min(edge, meter.before), bytes, from, to) end
  return meter.flow and switched or ledger.before(edge, bytes, from, to) - switched
end

-- KEYS usage; ARGV flow(1|0) since tag → 1 when it was new
local function set(keys, args)
  ledger.refuse_paused(args[3])
  local meter = read_meter(redis.call('HGET', keys[1], 'meter'))
  if not learn(meter, args[1] == '1', tonumber(args[2])) then return 0 end
  redis.call('HSET', keys[1], 'meter', pack_meter(meter))
  return 1
end

ledger.register('meter_set', set)
