-- The outbox: one entry of every record that was applied, packed (policy/ledger/outbox.ts reads it), in the stream `acct:` of the
-- partition. Entries tell how much was written before them: the size needs no counting when they are removed.
local GROUP = 'shipper'
local VERSION = 1
-- version meter kind part; lengths of WAL and flags; generation position before; tenant sub; from event received; up down (counted)
local HEAD = '<BBBI2BI2I7I7I7I6I6I6I6I6I7I7'
local SESSION = '<I6I2c0' -- NAS, NAS instance; the state follows
local STATE = '<I2c0I2c0I2c0' -- Class uuid, earlier incarnations, flags: behind version, place, `times` and `totals`
local meters = { radius = 1, flow = 2 }
local kinds = { start = 1, interim = 2, stop = 3, flow = 4 }

-- `what`: meter kind part tenant sub from event received up down flags; `rest`: what only this kind of record tells.
function ledger.emit(stream, lane, what, rest)
  local flags = table.concat(what.flags, ',')
  local entry = struct.pack(HEAD, VERSION, meters[what.meter], kinds[what.kind], what.part, #lane.wal, #flags, lane.generation,
    lane.position, lane.written, what.tenant, what.sub, what.from, what.event, what.received, what.up, what.down)
    .. lane.wal .. flags .. rest
  redis.call('XADD', stream, '*', 'e', entry)
  lane.written = lane.written + #entry
end

-- What the entry of a session's record holds beside its head: the session as it was saved, and how the record describes it.
function ledger.told_session(s, call, current)
  local uuid, olds, flags = s.uuid or '', s.olds or '', s.flags or ''
  return struct.pack(SESSION, call.nas, #call.inst, call.inst) .. string.char(VERSION, current and 1 or 0) .. s.times .. s.totals
    .. struct.pack(STATE, #uuid, uuid, #olds, olds, #flags, flags) .. call.described
end

-- The same read back: the incarnation, not yet stored; its description is added to `described`. nil: not ours to read.
function ledger.unpack_state(key, packed, described)
  if string.byte(packed) ~= VERSION then return nil end
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

redis.register_function('outbox_done', done)
