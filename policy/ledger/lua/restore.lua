-- Brings a partition back from the history: while it is paused nothing else is counted in it, then its lanes go on behind what was brought.
-- Every function but the first names the token of the pause and is refused when another pause, or none, stands.
local PAUSED = ':paused'

local function check(lanes, token)
  if ledger.paused(redis.call('HGET', lanes, PAUSED)) ~= token then
    error({ err = 'RESTOREOVER the pause of the partition has ended' })
  end
end

-- KEYS lanes; ARGV token, how long (ms). Of a pause that stands only its own token can make it longer.
local function begin(keys, args)
  local standing = ledger.paused(redis.call('HGET', keys[1], PAUSED))
  if standing and standing ~= args[1] then return 0 end
  local time = redis.call('TIME')
  redis.call('HSET', keys[1], PAUSED, ledger.text(time[1] * 1000 + math.floor(time[2] / 1000) + args[2]) .. ' ' .. args[1])
  return 1
end

-- KEYS lanes usage; ARGV token, windows (facts.lua), thresholds, flow(1|0), since, then field value...: nothing else is left of what was there.
local function usage(keys, args)
  check(keys[1], args[1])
  local set = {}
  ledger.learn_facts({
    windows = ledger.windows(args[2]), thresholds = ledger.thresholds(args[3]), event = 0,
    flow = args[4] == '1', since = tonumber(args[5]),
  }, nil, nil, nil, set)
  redis.call('DEL', keys[2])
  redis.call('HSET', keys[2], unpack(args, 6))
  if #set > 0 then redis.call('HSET', keys[2], unpack(set)) end
  return 1
end

-- KEYS lanes session; ARGV token, tag, current(1|0), next incarnation, earlier incarnations or '' (those of the state), NAS, NAS instance,
-- then states of one incarnation, oldest first: the last one holds, descriptions add up. → {open(1|0), last event, subscription}
local function session(keys, args)
  check(keys[1], args[1])
  local current = args[3] == '1'
  local call = {
    inst = args[7], event = 0, keys = ledger.names(args[2]),
  }
  local described, s = {}, nil
  for i = 8, #args do
    s = ledger.unpack_state(keys[2], args[i], described)
    if not s then error({ err = 'ERR the state of a session cannot be read' }) end
  end
  s.next = math.max(s.next, tonumber(args[4]))
  if args[5] ~= '' then s.olds = args[5] end
  if not current and s.state == 'open' then s.state, s.why, s.stop = 'closed', 'replaced', s.last end
  -- Its own description shall not look like the one that is stored: the next record may complete it.
  s.print = math.fmod(s.print + 1, 4294967296)
  described.nas, described.inst = args[6], args[7]
  redis.call('DEL', keys[2])
  ledger.save(s, call, true, described)
  if current and s.state == 'open' then
    ledger.index(call, s)
    ledger.touch(call, s)
  end
  return { s.state == 'open' and 1 or 0, s.last, s.sub }
end

-- KEYS lanes; ARGV token, then WAL, position... The lanes go on behind these; appliers find that they are behind and go back.
local function finish(keys, args)
  check(keys[1], args[1])
  for i = 2, #args - 1, 2 do redis.call('HSET', keys[1], args[i], args[i + 1]) end
  return redis.call('HDEL', keys[1], PAUSED)
end

ledger.register('restore_begin', begin)
ledger.register('restore_usage', usage)
ledger.register('restore_session', session)
ledger.register('restore_end', finish)
