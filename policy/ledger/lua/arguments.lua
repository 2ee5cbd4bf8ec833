-- The arguments of `accounting_apply` (policy/ledger/arguments.ts writes them) as a table; nothing is believed before it was checked.
local TIME = 4102444800000 -- the year 2100
local ID = 281474976710655
local OCTETS = 4294967295

-- Texts 4 to 8, numbers 9 to 20 with their limits, texts 21 to 31, then lists.
local names = {
  'wal', 'previous', 'position', 'tag', 'kind', 'inst', 'uuid', 'print',
  'event', 'received', 'tenant', 'nas', 'sub', 'st', 'upoct', 'downoct', 'upgig', 'downgig', 'peak', 'adopted',
  'sid', 'loh', 'user', 'src', 'nasip', 'port', 'portid', 'fip', 'calling', 'called', 'tcause',
}
local limits = {
  [9] = TIME, [10] = TIME, [11] = ID, [12] = ID, [13] = ID, [14] = OCTETS, [15] = OCTETS, [16] = OCTETS,
  [17] = OCTETS, [18] = OCTETS, [19] = ID, [20] = TIME,
}
local FIRST_NUMBER, LAST_REQUIRED, PEAK, LAST_NUMBER, LISTS = 9, 13, 19, 20, 32

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
  for i = FIRST_NUMBER, LAST_NUMBER do
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
  local previous, position = tonumber(args[2]), tonumber(args[3])
  if not previous or not position or previous < 0 or position <= previous or position > ledger.MOST or args[1] == '' then
    error({ err = 'ERR a lane position is wrong' })
  end
  local call = {
    args = args, wal = args[1], previous = previous, position = position, tag = args[4], kind = args[5], inst = args[6],
    uuid = args[7], print = tonumber(args[8]), event = nil, received = nil, tenant = nil, nas = nil, sub = nil, st = nil,
    upoct = nil, downoct = nil, upgig = nil, downgig = nil, peak = nil, adopted = nil,
    flags = {}, boots = {}, windows = {}, thresholds = 0, thresholds_count = 0, keys = nil, counted = false,
  }
  call.invalid = numbers(args, call)
  if not call.invalid then lists(args, call) end
  return call
end

-- Field and value of everything the record says, for the quarantine.
function ledger.told(args)
  local fields = {}
  for i = 5, #names do
    if args[i] ~= '' and i ~= 8 then
      fields[#fields + 1] = names[i]
      fields[#fields + 1] = args[i]
    end
  end
  return fields
end

-- The same of what describes its session. Empty values say nothing.
function ledger.describe(args, set)
  for i = 21, 30 do
    if args[i] ~= '' then
      set[#set + 1] = names[i]
      set[#set + 1] = args[i]
    end
  end
  set[#set + 1], set[#set + 2] = 'nas', args[12]
  set[#set + 1], set[#set + 2] = 'inst', args[6]
end
