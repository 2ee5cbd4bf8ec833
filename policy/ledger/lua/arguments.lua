-- The arguments of `accounting_apply` (policy/ledger/arguments.ts writes them) as a table; nothing is believed before it was checked.
local TIME = 4102444800000 -- the year 2100
local ID = 281474976710655
local OCTETS = 4294967295

-- 1 to 4 the lane, texts 5 to 9, numbers 10 to 21 with their limits, texts 22 to 23, then lists.
local KIND, INSTANCE, UUID, PRINT, EVENT, NAS, PEAK, ADOPTED, DESCRIBED, CAUSE, LISTS = 6, 7, 8, 9, 10, 13, 20, 21, 22, 23, 24
local LAST_REQUIRED = 14
local names = {
  false, false, false, false, false, 'kind', 'inst', 'uuid', false,
  'event', 'received', 'tenant', 'nas', 'sub', 'st', 'upoct', 'downoct', 'upgig', 'downgig', 'peak', 'adopted',
  false, 'tcause',
}
-- The texts that describe a session, one behind the other as `<octets>:<text>`.
local describing = { 'sid', 'loh', 'user', 'src', 'nasip', 'port', 'portid', 'fip', 'v6', 'pd', 'calling', 'called' }
local limits = {
  [10] = TIME, [11] = TIME, [12] = ID, [13] = ID, [14] = ID, [15] = OCTETS, [16] = OCTETS, [17] = OCTETS,
  [18] = OCTETS, [19] = OCTETS, [20] = ID, [21] = TIME,
}

-- Where the lists lie: `boots`; per kind of window the edges `args[first]` to `args[last]`; thresholds in threes behind `thresholds`.
-- A list that is cut ends the call with an error before anything was written.
local function lists(args, call)
  local at, event = LISTS, call.event
  for i = 1, tonumber(args[at]) do call.boots[i] = tonumber(args[at + i]) end
  at = at + #call.boots + 1
  for i = 1, 3 do
    local count = tonumber(args[at])
    local edges = { first = at + 1, last = at + count, begins = 0, since = nil }
    if count > 0 or call.sub ~= 0 then
      if count < 2 or event < tonumber(args[at + count - 1]) or event >= tonumber(args[at + count]) then
        error({ err = 'ERR the last window does not contain the event' })
      end
      edges.begins, edges.since = tonumber(args[at + count - 1]), tonumber(args[at + 1])
    end
    call.windows[i] = edges
    at = at + count + 1
  end
  call.thresholds, call.thresholds_count = at, tonumber(args[at])
  if #args ~= at + 3 * call.thresholds_count then error({ err = 'ERR a list of the call is cut or too long' }) end
end

-- The name of the first number that is none, if any.
local function numbers(args, call)
  for i = EVENT, ADOPTED do
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

function ledger.parse(args)
  local call = {
    args = args, tag = args[5], kind = args[KIND], inst = args[INSTANCE], uuid = args[UUID], print = tonumber(args[PRINT]),
    described = args[DESCRIBED], tcause = args[CAUSE], event = nil, received = nil, tenant = nil, nas = nil, sub = nil, st = nil,
    upoct = nil, downoct = nil, upgig = nil, downgig = nil, peak = nil, adopted = nil,
    flags = {}, boots = {}, windows = {}, thresholds = 0, thresholds_count = 0, keys = nil, counted = false, lane = nil,
  }
  call.invalid = numbers(args, call)
  if not call.invalid then lists(args, call) end
  return call
end

-- Adds field and value of what describes the session, and answers them by name. Empty values say nothing.
local function unpack_described(described, fields)
  local at, told = 1, {}
  for _, name in ipairs(describing) do
    local _, colon, length = string.find(described, '^(%d+):', at)
    if not colon then break end
    at = colon + 1 + tonumber(length)
    if length ~= '0' then
      told[name] = string.sub(described, colon + 1, at - 1)
      fields[#fields + 1], fields[#fields + 2] = name, told[name]
    end
  end
  return told
end

-- Field and value of everything the record says, for the quarantine.
function ledger.told(args)
  local fields = {}
  for i = KIND, CAUSE do
    if names[i] and args[i] ~= '' then fields[#fields + 1], fields[#fields + 2] = names[i], args[i] end
  end
  unpack_described(args[DESCRIBED], fields)
  return fields
end

function ledger.describe(args, set)
  set[#set + 1], set[#set + 2] = 'nas', args[NAS]
  set[#set + 1], set[#set + 2] = 'inst', args[INSTANCE]
  return unpack_described(args[DESCRIBED], set)
end
