-- Names of the keys of a partition, made once of its tag `{pNN}`. They lie in the slot of the key that a call names.
local known = {}

function ledger.names(tag)
  local names = known[tag]
  if not names then
    if not string.find(tag, '^{p%d%d}$') then error({ err = 'ERR a call names no partition' }) end
    names = {
      tag = tag,
      live = 'live:' .. tag, enforce = 'enforce:' .. tag, opened = 'opened:' .. tag, quarantine = 'quarantine:' .. tag, boots = 'boot:' .. tag,
      acct = 'acct:' .. tag, address = 'address:' .. tag, online = 'online:' .. tag, use = 'use:' .. tag .. ':',
      subses = 'subses:' .. tag .. ':', livenas = 'livenas:' .. tag .. ':', wheel = 'wheel:' .. tag, profile = 'profile:' .. tag,
      prof = 'prof:' .. tag .. ':',
    }
    known[tag] = names
  end
  return names
end
