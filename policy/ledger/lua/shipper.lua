-- Which shipper reads the outbox of a partition: one at a time and in order, so that the history is whole up to where it ends.

-- KEYS shippers; ARGV node, how long (ms) → every node that ships at present
local function present(keys, args)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', keys[1], now + args[2], args[1])
  redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', now)
  return redis.call('ZRANGE', keys[1], 0, -1)
end

-- KEYS lease; ARGV node, wanted(1|0), how long (ms) → 0: it is not this node's, 1: it is, 2: it is from now on
local function lease(keys, args)
  local holder = redis.call('GET', keys[1])
  if args[2] == '0' then
    if holder == args[1] then redis.call('DEL', keys[1]) end
    return 0
  end
  if holder and holder ~= args[1] then return 0 end
  redis.call('SET', keys[1], args[1], 'PX', args[3])
  return holder and 1 or 2
end

ledger.register('outbox_present', present)
ledger.register('outbox_lease', lease)
