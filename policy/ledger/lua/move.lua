-- Sessions that are moved away from a drained access server: each is counted before it is told, so that no crash and no second node tells more than were confirmed.

-- KEYS move told, both of one move; ARGV session most gap again tries
-- `most` sessions in all, `gap` ms between two, one that is still there after `again` ms is told once more, at most `tries` times.
-- move: hash with `next`, the instant of Redis from which on another one may be told. told: session → `<times>:<instant>`.
-- → {'go'} | {'wait', ms} | {'known'} | {'full'}
local function take(keys, args)
  local session, most, gap, again, tries = args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local times = 0
  local before = redis.call('HGET', keys[2], session)
  if before then
    local count, last = string.match(before, '^(%d+):(%d+)$')
    times = tonumber(count)
    if times >= tries or now - tonumber(last) < again then return { 'known' } end
  elseif redis.call('HLEN', keys[2]) >= most then
    return { 'full' }
  end
  local due = tonumber(redis.call('HGET', keys[1], 'next') or '0')
  if now < due then return { 'wait', due - now } end
  redis.call('HSET', keys[1], 'next', string.format('%.0f', now + gap))
  redis.call('HSET', keys[2], session, string.format('%.0f:%.0f', times + 1, now))
  for _, key in ipairs(keys) do redis.call('EXPIRE', key, '2592000') end
  return { 'go' }
end

ledger.register('move_take', take)
