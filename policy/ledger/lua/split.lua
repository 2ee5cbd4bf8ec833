-- Splits bytes over (from, to] at quarters of an hour UTC in proportion to time; what rounding leaves goes to the last quarter.
local QUARTER = 900000

-- How many of the bytes lie in quarters that begin before the edge. Any number of quarters costs the same.
function ledger.before(edge, bytes, from, to)
  if edge <= from then return 0 end
  local whole = to - from
  local last = math.floor((whole > 0 and to - 1 or to) / QUARTER) * QUARTER
  if edge > last then return bytes end
  local first = math.floor(from / QUARTER) * QUARTER + QUARTER
  if edge < first then return 0 end
  local full = math.ceil((edge - first) / QUARTER)
  return ledger.share(bytes, first - from, whole) + full * ledger.share(bytes, QUARTER, whole)
end
