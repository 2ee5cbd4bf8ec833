-- The outbox: a row of every record that was applied, packed (policy/ledger/outbox-entry.ts reads it); those of one call are one entry of
-- the stream `acct:` of the partition. Entries tell how much was written before them: the size needs no counting when they are removed.
local GROUP = 'shipper'
local VERSION = 2 -- 1 had one row, without a length
local STATE_VERSION = 1
local HEAD_ROWS = 2 -- places in the list of rows that the head and the name take (lane.lua)
local HEAD = '<BBI7I7' -- version, length of the WAL's name; generation, written before; the name and the rows follow
-- how long the row is behind this number; meter kind part, length of flags; position; tenant sub; from event received; up down (counted)
local ROW, LENGTH_BYTES, ROW_BYTES = '<I3BBI2I2I7I6I6I6I6I6I7I7', 3, 60
local SESSION = '<I6I2c0BB' -- NAS, NAS instance; version of the state, whether it is the newest incarnation's; the rest of the state follows
local STATE = '<I2c0I2c0I2c0' -- Class uuid, earlier incarnations, flags: behind version, place, `times` and `totals`
local meters = { radius = 1, flow = 2 }
local kinds = { start = 1, interim = 2, stop = 3, flow = 4 }

-- `what`: meter kind part tenant sub from event received up down flags; the texts behind: what only this kind of record tells. They are
-- put together once, with those of the other rows.
function ledger.emit(lane, what, ...)
  local flags, rows, length = table.concat(what.flags, ','), lane.rows, 0
  local at = #rows + 1
  rows[at + 1] = flags
  for i = 1, select('#', ...) do
    local text = select(i, ...)
    rows[at + 1 + i], length = text, length + #text
  end
  rows[at] = struct.pack(ROW, ROW_BYTES - LENGTH_BYTES + #flags + length, meters[what.meter], kinds[what.kind], what.part, #flags,
    lane.position, what.tenant, what.sub, what.from, what.event, what.received, what.up, what.down)
end

-- Writes the rows of a call.
function ledger.write_rows(stream, lane)
  if not lane.rows[HEAD_ROWS + 1] then return end
  lane.rows[1] = struct.pack(HEAD, VERSION, #lane.wal, lane.generation, lane.written)
  local entry = table.concat(lane.rows)
  redis.call('XADD', stream, '*', 'e', entry)
  lane.written = lane.written + #entry
end

-- What the row of a session's record holds beside its numbers: the session as it was saved, and how the record describes it.
function ledger.told_session(s, call, current)
  local uuid, olds, flags = s.uuid or '', s.olds or '', s.flags or ''
  return struct.pack(SESSION, call.nas, #call.inst, call.inst, STATE_VERSION, current and 1 or 0), s.times, s.totals,
    struct.pack(STATE, #uuid, uuid, #olds, olds, #flags, flags), call.described
end

-- The same read back: the incarnation, not yet stored; its description is added to `described`. nil: not ours to read.
function ledger.unpack_state(key, packed, described)
  if string.byte(packed) ~= STATE_VERSION then return nil end
  local uuid, olds, flags, at = struct.unpack(STATE, packed, 104)
  ledger.unpack_described(string.sub(packed, at), described)
  local function some(text) return text ~= '' and text or nil end
  return ledger.unpack(key, string.sub(packed, 3, 63), string.sub(packed, 64, 103), some(uuid), some(olds), some(flags))
end

-- KEYS stream; ARGV id... → nothing. The entries are dealt with: they go as soon as all before them have been dealt with too.
local function done(keys, args)
  redis.call('XACK', keys[1], GROUP, unpack(args))
  local pending = redis.call('XPENDING', keys[1], GROUP)
  if pending[1] > 0 then return redis.call('XTRIM', keys[1], 'MINID', pending[2]) end
  local group = redis.call('XINFO', 'GROUPS', keys[1])[1]
  for i = 1, #group, 2 do
    if group[i] == 'last-delivered-id' then
      local ms, seq = string.match(group[i + 1], '^(%d+)-(%d+)$')
      return redis.call('XTRIM', keys[1], 'MINID', ms .. '-' .. ledger.text(tonumber(seq) + 1))
    end
  end
end

ledger.register('outbox_done', done)
