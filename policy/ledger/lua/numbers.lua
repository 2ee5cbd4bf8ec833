-- Whole numbers kept in doubles: exact below 2^53 as arguments of redis.call, but `tostring` and `..` round them at 10^14.
local BITS32 = 4294967296

ledger.MOST = 9007199254740991

function ledger.text(number)
  return string.format('%d', number)
end

-- floor(bytes * part / whole) without leaving 2^53: bytes < 2^53, part ≤ 2^20, whole ≤ 2^42.
function ledger.share(bytes, part, whole)
  local rest = math.fmod(bytes, whole)
  local result = (bytes - rest) / whole * part
  local high = math.floor(part / 1024)
  local product = rest * high
  local over = math.fmod(product, whole)
  result = result + (product - over) / whole * 1024
  product = over * 1024 + rest * (part - high * 1024)
  return result + (product - math.fmod(product, whole)) / whole
end

-- The 64-bit counter of octets and gigawords; false when it is not below 2^53.
function ledger.compose(octets, gigawords)
  local total = gigawords * BITS32 + octets
  return total <= ledger.MOST and total
end
