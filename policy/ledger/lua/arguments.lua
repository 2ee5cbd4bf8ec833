-- The arguments of `accounting_apply` (policy/ledger/arguments.ts writes them) as a table; nothing is believed before it was checked.
local TIME = 4102444800000 -- the year 2100
local BITS32 = 4294967295

local texts = { 'tag', 'kind', 'inst', 'sid', 'uuid', 'loh', 'user', 'src', 'nasip', 'port', 'portid', 'fip', 'calling', 'called', 'tcause' }
local counts = {
  { 'event', TIME }, { 'received', TIME }, { 'tenant' }, { 'nas' }, { 'sub' },
  { 'st', BITS32 }, { 'upoct', BITS32 }, { 'downoct', BITS32 }, { 'upgig', BITS32 }, { 'downgig', BITS32 },
  { 'peak' }, { 'adopted', TIME },
}
local required = { 'event', 'received', 'tenant', 'nas', 'sub', 'peak' }
local first = 4
ledger.WINDOWS = { 'day', 'week', 'month' }

local function lists(args, at, call)
  local function number()
    at = at + 1
    return ledger.whole(args[at - 1] or '') or error({ err = 'ERR a list of the call is cut or not of whole numbers' })
  end
  call.boots = {}
  for i = 1, number() do call.boots[i] = number() end
  call.windows = {}
  for i = 1, #ledger.WINDOWS do
    local edges = {}
    local length = number()
    for j = 1, length do
      edges[j] = number()
      if j > 1 and edges[j] <= edges[j - 1] then error({ err = 'ERR windows overlap' }) end
    end
    local within = length >= 2 and edges[length - 1] <= call.event and call.event < edges[length]
    if not within and (call.sub ~= 0 or length > 0) then
      error({ err = 'ERR the last window does not contain the event' })
    end
    call.windows[i] = edges
  end
  call.thresholds = {}
  for i = 1, number() do call.thresholds[i] = { window = number(), direction = number(), bytes = number() } end
end

-- lane {wal, previous, position} first; then texts, numbers, lists.
function ledger.parse(args)
  local call = { wal = args[1], previous = ledger.whole(args[2] or ''), position = ledger.whole(args[3] or '') }
  if not call.previous or not call.position or call.position <= call.previous or call.wal == '' then
    error({ err = 'ERR a lane position is wrong' })
  end
  for i, name in ipairs(texts) do call[name] = args[first + i - 1] end
  local at = first + #texts
  for i, field in ipairs(counts) do
    local value = ledger.whole(args[at + i - 1] or '', field[2])
    if value == false then call.invalid = field[1] else call[field[1]] = value end
  end
  for _, name in ipairs(required) do
    if not call[name] then call.invalid = call.invalid or name end
  end
  if not call.invalid then lists(args, at + #counts, call) end
  return call
end

-- Field and value of everything the record says, for the quarantine.
function ledger.pairs(args)
  local fields = {}
  local function add(name, value)
    if value ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  for i, name in ipairs(texts) do add(name, args[first + i - 1]) end
  for i, field in ipairs(counts) do add(field[1], args[first + #texts + i - 1]) end
  return fields
end
