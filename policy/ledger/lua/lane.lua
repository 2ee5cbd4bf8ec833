-- The lane of a call: its place in the WAL, compared with the stored one and moved by the same call. The first four arguments of
-- a call are WAL, previous position, own position and generation.

-- A field of the lane hash that is no WAL: bytes ever written to the outbox of the partition.
local WRITTEN = ':written'

function ledger.lane(key, args)
  local lane = {
    key = key, wal = args[1], previous = tonumber(args[2]), position = tonumber(args[3]), generation = tonumber(args[4]),
    stored = 0, written = 0,
  }
  local previous, position, generation = lane.previous, lane.position, lane.generation
  if not previous or not position or previous < 0 or position <= previous or position > ledger.MOST or args[1] == '' then
    error({ err = 'ERR a lane position is wrong' })
  end
  if not generation or generation < 0 or generation > ledger.MOST then error({ err = 'ERR a lane generation is wrong' }) end
  local found = redis.call('HMGET', key, lane.wal, WRITTEN)
  lane.stored, lane.written = tonumber(found[1] or '0'), tonumber(found[2] or '0')
  return lane
end

-- The answer to a call that is not the next one of its lane; nil to the next one.
function ledger.refuse(lane)
  if lane.position <= lane.stored then return { 'duplicate' } end
  if lane.previous ~= lane.stored then return { 'gap', lane.stored } end
end

-- The record is in the ledger, or was quarantined.
function ledger.pass(lane)
  redis.call('HSET', lane.key, lane.wal, lane.position, WRITTEN, lane.written)
end

