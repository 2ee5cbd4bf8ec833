-- The lane of a call: its place in the WAL, compared with the stored one and moved by the same call.

-- A field of the lane hash that is no WAL: bytes ever written to the outbox of the partition.
local WRITTEN = ':written'
-- Another: until when the partition is being rebuilt (ms), and by whom (lua/restore.lua).
local PAUSED = ':paused'

function ledger.lane(key, wal, generation)
  local lane = {
    key = key, wal = wal, generation = tonumber(generation), position = 0, stored = 0, written = 0, moved = false, rows = { '', wal },
    booted = {}, online = {}, none_silent = false,
  }
  if wal == '' or #wal > 255 then error({ err = 'ERR a lane has no name' }) end
  if not lane.generation or lane.generation < 0 or lane.generation > ledger.MOST then
    error({ err = 'ERR a lane generation is wrong' })
  end
  local found = redis.call('HMGET', key, wal, WRITTEN, PAUSED)
  if ledger.paused(found[3]) then error({ err = 'LEDGERPAUSED the partition is being rebuilt' }) end
  lane.stored, lane.written = tonumber(found[1] or '0'), tonumber(found[2] or '0')
  return lane
end

-- `<until> <token>` of the pause, when it stands: whoever forgets to end one does not stop counting for ever.
function ledger.paused(stored)
  if not stored then return nil end
  local time = redis.call('TIME')
  local till, token = string.match(stored, '^(%d+) (.+)$')
  return time[1] * 1000 + math.floor(time[2] / 1000) < tonumber(till) and token or nil
end

-- The same for a call that has no lane.
function ledger.refuse_paused(tag)
  if ledger.paused(redis.call('HGET', 'lane:' .. tag, PAUSED)) then
    error({ err = 'LEDGERPAUSED the partition is being rebuilt' })
  end
end

-- The answer to a record that is not the next one of its lane; nil to the next one.
function ledger.refuse(lane, previous, position)
  if not previous or not position or previous < 0 or position <= previous or position > ledger.MOST then
    error({ err = 'ERR a lane position is wrong' })
  end
  if position <= lane.stored then return { 'duplicate' } end
  if previous ~= lane.stored then return { 'gap', lane.stored } end
  lane.position = position
end

-- The record is in the ledger, or was quarantined.
function ledger.pass(lane)
  lane.stored, lane.moved = lane.position, true
end

-- Before the call ends.
function ledger.keep(lane, names)
  ledger.keep_online(names, lane.online)
  ledger.write_rows(names.acct, lane)
  if lane.moved then redis.call('HSET', lane.key, lane.wal, ledger.text(lane.stored), WRITTEN, ledger.text(lane.written)) end
end
