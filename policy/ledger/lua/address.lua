-- Who held which addresses when: the stream `address:` of the partition gets an entry when a session opens, closes or changes its
-- addresses. The entry of a session's incarnation replaces the one before it from its own `from` on; `to` is empty while it is open.
local MOST_ENTRIES = '100000'

local function tell(call, s, v4, v6, pd, from, to)
  if v4 == '' and v6 == '' and pd == '' then return end
  redis.call('XADD', call.keys.address, 'MAXLEN', '~', MOST_ENTRIES, '*', 'tenant', s.tenant, 'sub', s.sub, 'ses', s.key,
    'inc', s.inc, 'v4', v4, 'v6', v6, 'pd', pd, 'from', from, 'to', to)
end

local function stored(s)
  local found = redis.call('HMGET', s.key, 'fip', 'v6', 'pd', 'afrom')
  return found[1] or '', found[2] or '', found[3] or '', found[4]
end

-- A closed session goes on, with the addresses it had, since it was taken for closed.
function ledger.addresses_again(call, s, since)
  local v4, v6, pd = stored(s)
  redis.call('HSET', s.key, 'afrom', since)
  tell(call, s, v4, v6, pd, since, '')
end

function ledger.addresses_end(call, s, stop)
  local v4, v6, pd, from = stored(s)
  tell(call, s, v4, v6, pd, from or s.started, stop)
end

-- A record describes the session anew; `told`: what it says. Adds to the fields that are to be set.
function ledger.addresses_told(call, s, told, set)
  local v4, v6, pd = told.fip or '', told.v6 or '', told.pd or ''
  if not s.was then
    set[#set + 1], set[#set + 2] = 'afrom', s.started
    return tell(call, s, v4, v6, pd, s.started, s.state == 'closed' and s.stop or '')
  end
  if s.state ~= 'open' then return end
  local had_v4, had_v6, had_pd = stored(s)
  if v4 == '' then v4 = had_v4 end
  if v6 == '' then v6 = had_v6 end
  if pd == '' then pd = had_pd end
  if v4 == had_v4 and v6 == had_v6 and pd == had_pd then return end
  -- The first ones it tells it had from its start.
  local first = had_v4 == '' and had_v6 == '' and had_pd == ''
  local from = first and s.started or call.event
  set[#set + 1], set[#set + 2] = 'afrom', from
  tell(call, s, v4, v6, pd, from, '')
end
