-- Reads the records of `accounting_apply` (policy/ledger/arguments.ts packs them) as tables.
-- length of the record; previous and own position; kind fingerprint; event received tenant nas sub; Session-Time, octets up and down,
-- gigawords up and down (one more, 0: none); plan peak, adopted at (one more), meter since; meter (1: flow), numbers of the texts of
-- windows and thresholds; lengths of the texts behind: what is wrong, kind of the end, Class uuid, boots, NAS instance, session key,
-- `<tenant>:<subscription>`, description
local RECORD = '<I4I7I7BI4I6I6I6I6I6I5I5I5I5I5I6I6I6BBBI2BBI2I2I2BI2'
local kinds = { 'start', 'interim', 'stop', 'on', 'off' }
-- The texts that describe a session, one behind the other as `<octets>:<text>`.
local describing = { 'sid', 'loh', 'user', 'src', 'nasip', 'port', 'portid', 'fip', 'v6', 'pd', 'calling', 'called' }

local function maybe(number)
  return number > 0 and number - 1 or nil
end

local function boots(text)
  local list = {}
  if text == '' then return list end
  for instant in string.gmatch(text, '%d+') do list[#list + 1] = tonumber(instant) end
  return list
end

-- The record at `at` of `packed`, and where the next one begins. `texts`: what records name by number; `lane`: what its calls share.
function ledger.parse(packed, at, texts, names, lane)
  local size, previous, position, kind, print, event, received, tenant, nas, sub, st, upoct, downoct, upgig, downgig, peak, adopted,
    since, flow, windows, thresholds, wrong, tcause, uuid, booted, inst, key, owner, described, next = struct.unpack(RECORD, packed, at)
  local function text(length)
    next = next + length
    return length > 0 and string.sub(packed, next - length, next - 1) or ''
  end
  local call = {
    previous = previous, position = position, kind = kinds[kind], print = print, event = event, received = received, tenant = tenant,
    nas = nas, sub = sub, st = maybe(st), upoct = maybe(upoct), downoct = maybe(downoct), upgig = maybe(upgig),
    downgig = maybe(downgig), peak = peak, adopted = maybe(adopted), since = since, flow = flow == 1,
    invalid = text(wrong), tcause = text(tcause), uuid = text(uuid), boots = boots(text(booted)), inst = text(inst), key = text(key),
    owner = text(owner), described = text(described), windows = texts[windows], thresholds = texts[thresholds],
    flags = {}, counted = false, keys = names, booted = lane.booted, online = lane.online,
  }
  return call, at + size
end

-- Reads what is only needed when the record is the next one of its lane.
function ledger.complete(call)
  call.windows = ledger.windows(call.windows)
  call.thresholds = ledger.thresholds(call.thresholds)
  for i = 1, 3 do
    local window = call.windows[i]
    if (call.sub ~= 0 or window.since) and not (window.since and window.begins <= call.event and call.event < window.ends) then
      error({ err = 'ERR the last window does not contain the event' })
    end
  end
end

-- Adds to `told` what describes the session, by name. Empty values say nothing.
function ledger.unpack_described(described, told)
  local at = 1
  for _, name in ipairs(describing) do
    local _, colon, length = string.find(described, '^(%d+):', at)
    if not colon then break end
    at = colon + 1 + tonumber(length)
    if length ~= '0' then told[name] = string.sub(described, colon + 1, at - 1) end
  end
  return told
end

local function add(told, fields)
  for name, value in pairs(told) do fields[#fields + 1], fields[#fields + 2] = name, value end
  return told
end

-- Field and value of everything the record says, for the quarantine. `invalid` is `<field>=<value>` of what could not be packed.
function ledger.told(call)
  local told = { kind = call.kind, inst = call.inst, uuid = call.uuid, tcause = call.tcause, invalid = call.invalid }
  for _, name in ipairs({ 'event', 'received', 'tenant', 'nas', 'sub', 'st', 'upoct', 'downoct', 'upgig', 'downgig' }) do
    if call[name] then told[name] = ledger.text(call[name]) end
  end
  local fields = {}
  add(told, fields)
  add(ledger.unpack_described(call.described, {}), fields)
  return fields
end

function ledger.describe(call, set)
  set[#set + 1], set[#set + 2] = 'nas', ledger.text(call.nas)
  set[#set + 1], set[#set + 2] = 'inst', call.inst
  return add(ledger.unpack_described(call.described, {}), set)
end
