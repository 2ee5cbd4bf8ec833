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
local FIRST_NUMBER, LAST_REQUIRED, PEAK, LAST_NUMBER = 9, 13, 19, 20

local function number(args, at)
  return ledger.whole(args[at] or '', ledger.MOST) or error({ err = 'ERR a list of the call is cut or not of whole numbers' })
end

-- Where the lists lie: `boots`; per kind of window the edges `args[first]` to `args[last]`; thresholds in threes behind `thresholds`.
local function lists(args, call)
  local at = LAST_NUMBER + 12
  call.boots, call.windows = {}, {}
  local count = number(args, at)
  for i = 1, count do call.boots[i] = number(args, at + i) end
  at = at + count + 1
  for i = 1, 3 do
    count = number(args, at)
    local edges = { first = at + 1, last = at + count, begins = 0 }
    if count > 0 or call.sub ~= 0 then
      edges.begins = number(args, at + count - 1)
      if count < 2 or call.event < edges.begins or call.event >= number(args, at + count) then
        error({ err = 'ERR the last window does not contain the event' })
      end
      edges.since = number(args, at + 1)
    end
    call.windows[i] = edges
    at = at + count + 1
  end
  call.thresholds, call.thresholds_count = at, number(args, at)
  if #args ~= at + 3 * call.thresholds_count then error({ err = 'ERR a list of the call is cut or too long' }) end
end

function ledger.parse(args)
  local call = {
    args = args, wal = args[1], tag = args[4], kind = args[5], inst = args[6], uuid = args[7], print = tonumber(args[8]) or 0, flags = {},
    previous = ledger.whole(args[2] or '', ledger.MOST), position = ledger.whole(args[3] or '', ledger.MOST),
  }
  if not call.previous or not call.position or call.position <= call.previous or call.wal == '' then
    error({ err = 'ERR a lane position is wrong' })
  end
  for i = FIRST_NUMBER, LAST_NUMBER do
    local value = ledger.whole(args[i] or '', limits[i])
    if value == false or value == nil and (i <= LAST_REQUIRED or i == PEAK) then call.invalid = call.invalid or names[i] end
    call[names[i]] = value
  end
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
