-- The directory entry of a session: which partition it runs in. Newer entries win: by incarnation within a partition, then event; closed wins ties.
local OPEN_MS = 35 * 86400000 -- written anew every day
local CLOSED_MS = 9 * 86400000

-- KEYS entry; ARGV partition tenant subscription incarnation event state
local function note(keys, args)
  local stored = redis.call('HMGET', keys[1], 'partition', 'inc', 'at', 'state')
  if stored[1] then
    local inc, at = tonumber(stored[2]), tonumber(stored[3])
    local same = stored[1] == args[1]
    if same and tonumber(args[4]) < inc then return 0 end
    if not same or tonumber(args[4]) == inc then
      if tonumber(args[5]) < at then return 0 end
      if tonumber(args[5]) == at and stored[4] == 'closed' then return 0 end
    end
  end
  redis.call('HSET', keys[1], 'partition', args[1], 'tenant', args[2], 'sub', args[3], 'inc', args[4], 'at', args[5], 'state', args[6])
  redis.call('PEXPIRE', keys[1], args[6] == 'open' and OPEN_MS or CLOSED_MS)
  return 1
end

redis.register_function('directory_note', note)
