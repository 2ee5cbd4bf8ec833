-- A batch of flow usage into the ledger, once. Everything is decided before the first write: there is no rollback.
local QUARTER = 900000
local ENTRY, ENTRY_BYTES = '<I6I6I6I7I7', 32 -- tenant subscription slot up down
local MOST_ENTRIES = 500
local TIME = 4102444800000 -- the year 2100
local MOST_QUARANTINED = 10000

-- The entries, or nil when one cannot be.
local function read(packed)
  local count = #packed / ENTRY_BYTES
  if count < 1 or count > MOST_ENTRIES or count % 1 ~= 0 then return nil end
  local entries = {}
  for i = 1, count do
    local tenant, sub, slot, up, down = struct.unpack(ENTRY, packed, (i - 1) * ENTRY_BYTES + 1)
    if sub == 0 or slot % QUARTER ~= 0 or slot > TIME or up > ledger.MOST or down > ledger.MOST then return nil end
    entries[i] = { tenant = tenant, sub = sub, slot = slot, up = up, down = down, flags = {}, crossed = false }
  end
  return entries
end

-- A subscriber of the batch: its facts, and its counters as far as they are needed, as they become by the entries before.
local function subscriber(known, names, entry)
  local key = names.use .. ledger.text(entry.tenant) .. ':' .. ledger.text(entry.sub)
  local found = known[key]
  if not found then
    local stored = redis.call('HMGET', key, 'meter', 'edges', 'limits')
    found = ledger.stored_facts(stored[1], stored[2], stored[3])
    found.key, found.now, found.begins = key, {}, nil
    known[key], known[#known + 1] = found, found
  end
  return found
end

-- The begin of the window that the slot lies in; nil when it is older than the one before the newest known.
local function window_of(edges, slot)
  if slot >= edges.ends then return edges.ends end
  if slot >= edges.begins then return edges.begins end
  return slot >= edges.before and edges.before or nil
end

-- Counts one entry in the tables, or says why not.
local function count(who, entry)
  if not ledger.flow_counts(who.meter, entry.slot) then return 'other_meter' end
  if not who.edges then return 'no_facts' end
  local names, at, starts = { 'all' }, {}, {}
  for i = 1, 3 do
    local start = window_of(who.edges[i], entry.slot)
    if start then
      names[#names + 1] = ledger.window_name(i, ledger.text(start))
      at[i], starts[i] = #names, start
    end
  end
  local wanted = {}
  for _, name in ipairs(names) do
    if not who.now[name] then wanted[#wanted + 1] = name end
  end
  if #wanted > 0 then
    for i, stored in ipairs(redis.call('HMGET', who.key, unpack(wanted))) do
      who.now[wanted[i]] = { packed = stored, fresh = not stored }
    end
  end
  local counters = {}
  for i, name in ipairs(names) do
    counters[i] = ledger.add(who.now[name].packed, entry.up, entry.down)
    if not counters[i] then return 'counter_out_of_range' end
  end
  for i, start in pairs(starts) do
    if who.now[names[at[i]]].fresh then ledger.begins(who, i, math.max(start, who.edges[i].begins)) end
  end
  for i, name in ipairs(names) do who.now[name] = { packed = ledger.pack_count(counters[i]), changed = true } end
  entry.crossed = ledger.crosses(who.limits, at, counters)
end

local function changed(who)
  local set = {}
  for name, counter in pairs(who.now) do
    if counter.changed then set[#set + 1], set[#set + 2] = name, counter.packed end
  end
  return set
end

-- KEYS lanes; ARGV WAL generation tag previous position received entries
-- → {'duplicate'}, {'gap', stored}, {'quarantined', reason} or {'applied', crossed, flags...}
local function apply(keys, args)
  local lane, names = ledger.lane(keys[1], args[1], args[2]), ledger.names(args[3])
  local refused = ledger.refuse(lane, tonumber(args[4]), tonumber(args[5]))
  if refused then return refused end
  local received = tonumber(args[6])
  local entries = received and received >= 0 and received <= TIME and read(args[7])
  if not entries then
    redis.call('XADD', names.quarantine, 'MAXLEN', '~', MOST_QUARANTINED, '*', 'reason', 'invalid_flow_usage', 'kind', 'flow', 'received', args[6],
      'entries', args[7])
    ledger.pass(lane)
    ledger.keep(lane, names)
    return { 'quarantined', 'invalid_flow_usage' }
  end
  local known, answer, told = {}, { 'applied', 0 }, {}
  for _, entry in ipairs(entries) do
    local why = count(subscriber(known, names, entry), entry)
    if why then
      entry.flags, entry.up, entry.down = { why }, 0, 0
      if not told[why] then told[why], answer[#answer + 1] = true, why end
    end
  end

  -- From here on it is written.
  for _, who in ipairs(known) do
    who.set = changed(who)
    ledger.write_usage(who)
  end
  for i, entry in ipairs(entries) do
    ledger.emit(lane, {
      meter = 'flow', kind = 'flow', part = i - 1, tenant = entry.tenant, sub = entry.sub, from = entry.slot,
      event = entry.slot + QUARTER, received = received, up = entry.up, down = entry.down, flags = entry.flags,
    })
    if entry.crossed then
      answer[2] = 1
      ledger.tell(names.enforce, 'crossed', entry.tenant, entry.sub, '', received)
    end
  end
  ledger.pass(lane)
  ledger.keep(lane, names)
  return answer
end

ledger.register('flow_apply', apply)
