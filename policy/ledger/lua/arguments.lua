-- The arguments of `accounting_apply` (policy/ledger/arguments.ts writes them) as a table; nothing is believed before it was checked.
local TIME = 4102444800000 -- the year 2100
local ID = 281474976710655
local OCTETS = 4294967295

-- 1 to 4 the lane, texts 5 to 9, numbers 10 to 22 with their limits, then texts.
local KIND, INSTANCE, UUID, PRINT, EVENT, NAS, LAST_REQUIRED, PEAK, SINCE = 6, 7, 8, 9, 10, 13, 14, 20, 22
local METER, BOOTS, WINDOWS, THRESHOLDS, CAUSE, DESCRIBED = 23, 24, 25, 26, 27, 28
local names = {
  false, false, false, false, false, 'kind', 'inst', 'uuid', false,
  'event', 'received', 'tenant', 'nas', 'sub', 'st', 'upoct', 'downoct', 'upgig', 'downgig', 'peak', 'adopted', 'since',
  'meter', false, false, false, 'tcause',
}
-- The texts that describe a session, one behind the other as `<octets>:<text>`.
local describing = { 'sid', 'loh', 'user', 'src', 'nasip', 'port', 'portid', 'fip', 'v6', 'pd', 'calling', 'called' }
local limits = {
  [10] = TIME, [11] = TIME, [12] = ID, [13] = ID, [14] = ID, [15] = OCTETS, [16] = OCTETS, [17] = OCTETS,
  [18] = OCTETS, [19] = OCTETS, [20] = ID, [21] = TIME, [22] = TIME,
}

-- The name of the first number that is none, if any.
local function numbers(args, call)
  for i = EVENT, SINCE do
    local text = args[i]
    local value = tonumber(text)
    if value then
      if value < 0 or value > limits[i] or value % 1 ~= 0 then return names[i] end
      call[names[i]] = value
    elseif text ~= '' or i <= LAST_REQUIRED or i == PEAK then
      return names[i]
    end
  end
end

local function boots(text)
  local list = {}
  for instant in string.gmatch(text, '%d+') do list[#list + 1] = tonumber(instant) end
  return list
end

function ledger.parse(args)
  local call = {
    args = args, tag = args[5], kind = args[KIND], inst = args[INSTANCE], uuid = args[UUID], print = tonumber(args[PRINT]),
    described = args[DESCRIBED], tcause = args[CAUSE], meter = args[METER], event = nil, received = nil, tenant = nil, nas = nil,
    sub = nil, st = nil, upoct = nil, downoct = nil, upgig = nil, downgig = nil, peak = nil, adopted = nil, since = nil,
    flags = {}, boots = nil, windows = nil, thresholds = nil, keys = nil, counted = false, lane = nil,
  }
  if #args ~= DESCRIBED then error({ err = 'ERR the call has not its arguments' }) end
  call.invalid = numbers(args, call)
  if call.invalid then return call end
  call.boots = boots(args[BOOTS])
  call.windows = ledger.windows(args[WINDOWS])
  call.thresholds = ledger.thresholds(args[THRESHOLDS])
  for i = 1, 3 do
    local window = call.windows[i]
    if (call.sub ~= 0 or window.since) and not (window.since and window.begins <= call.event and call.event < window.ends) then
      error({ err = 'ERR the last window does not contain the event' })
    end
  end
  return call
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

local function add_described(described, fields)
  local told = ledger.unpack_described(described, {})
  for name, value in pairs(told) do fields[#fields + 1], fields[#fields + 2] = name, value end
  return told
end

-- Field and value of everything the record says, for the quarantine.
function ledger.told(args)
  local fields = {}
  for i = KIND, CAUSE do
    if names[i] and args[i] ~= '' then fields[#fields + 1], fields[#fields + 2] = names[i], args[i] end
  end
  add_described(args[DESCRIBED], fields)
  return fields
end

function ledger.describe(args, set)
  set[#set + 1], set[#set + 2] = 'nas', args[NAS]
  set[#set + 1], set[#set + 2] = 'inst', args[INSTANCE]
  return add_described(args[DESCRIBED], set)
end
