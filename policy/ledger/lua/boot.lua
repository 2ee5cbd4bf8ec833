-- Boots of NAS instances (Accounting-On, Accounting-Off): the newest instants, and closing what they ended.
local MOST_BOOTS = 4

-- The boot instants known here and those that came with the call, oldest first; and whether some are new here. `call.booted`: what was
-- read before, by instance, of calls that are applied together.
function ledger.boots(call)
  local read = call.booted or {}
  local stored = read[call.inst]
  if stored == nil then
    stored = redis.call('HGET', call.keys.boots, call.inst)
    read[call.inst] = stored
  end
  if not stored and #call.boots == 0 then return {}, false end
  local known, list = {}, {}
  for instant in string.gmatch(stored or '', '%d+') do
    list[#list + 1] = tonumber(instant)
    known[instant] = true
  end
  local fresh = false
  for _, instant in ipairs(call.boots) do
    if not known[ledger.text(instant)] then
      list[#list + 1], fresh = instant, true
      known[ledger.text(instant)] = true
    end
  end
  if fresh then table.sort(list) end
  while #list > MOST_BOOTS do table.remove(list, 1) end
  return list, fresh
end

function ledger.note_boots(call, instants)
  for _, instant in ipairs(instants) do call.boots[#call.boots + 1] = instant end
  local texts = {}
  for i, instant in ipairs(ledger.boots(call)) do texts[i] = ledger.text(instant) end
  redis.call('HSET', call.keys.boots, call.inst, table.concat(texts, ','))
  if call.booted then call.booted[call.inst] = nil end
end

-- Closes sessions whose last event is not after the boot, at that event; answers how many of up to `most` were looked at.
function ledger.close_booted(call, boot, most)
  local of_nas = call.keys.livenas .. call.inst
  local found = redis.call('ZRANGEBYSCORE', of_nas, '-inf', boot, 'LIMIT', 0, most)
  for _, key in ipairs(found) do
    local s = ledger.load(key)
    if not s or s.state ~= 'open' then
      redis.call('ZREM', of_nas, key)
      redis.call('ZREM', call.keys.live, key)
    elseif s.last > boot then
      redis.call('ZADD', of_nas, s.last, key)
    else
      ledger.close(call, s, 'boot', s.last)
      ledger.save(s, call, false)
    end
  end
  return #found
end

-- KEYS boots; ARGV tag instance instant most → how many sessions were looked at (`most`: call again)
local function note(_, args)
  local call = { keys = ledger.names(args[1]), inst = args[2], boots = {} }
  ledger.refuse_paused(args[1])
  local instant = tonumber(args[3])
  if not instant or instant < 0 or instant % 1 ~= 0 then return redis.error_reply('ERR a boot instant is wrong') end
  ledger.note_boots(call, { instant })
  return ledger.close_booted(call, instant, args[4])
end

ledger.register('accounting_boot', note)
