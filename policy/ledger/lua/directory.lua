-- The directory entry of a session: which partition it runs in. Newer entries win: by incarnation within a partition, then event; closed wins ties.
local OPEN_MS = '3024000000' -- 35 days: written anew every day
local CLOSED_MS = '777600000' -- nine days

local function note(key, partition, tenant, sub, inc, at, state)
  local stored = redis.call('HMGET', key, 'partition', 'inc', 'at', 'state')
  if stored[1] then
    local had_inc, had_at = tonumber(stored[2]), tonumber(stored[3])
    local same = stored[1] == partition
    if same and tonumber(inc) < had_inc then return 0 end
    if not same or tonumber(inc) == had_inc then
      if tonumber(at) < had_at then return 0 end
      if tonumber(at) == had_at and stored[4] == 'closed' then return 0 end
    end
  end
  redis.call('HSET', key, 'partition', partition, 'tenant', tenant, 'sub', sub, 'inc', inc, 'at', at, 'state', state)
  redis.call('PEXPIRE', key, state == 'open' and OPEN_MS or CLOSED_MS)
  return 1
end

-- KEYS entries; ARGV of each partition tenant subscription incarnation event state → how many were written
local function note_all(keys, args)
  local written = 0
  for i, key in ipairs(keys) do written = written + note(key, unpack(args, 6 * i - 5, 6 * i)) end
  return written
end

ledger.register('directory_note', note_all)
