-- Splits bytes over (from, to] at quarters of an hour UTC in proportion to time; what rounding leaves goes to the last quarter.
local QUARTER = 900000

-- A function of an edge: how many of the bytes lie in quarters before it. Any number of quarters costs the same.
function ledger.before(bytes, from, to)
  local whole = to - from
  local last = whole > 0 and math.floor((to - 1) / QUARTER) * QUARTER or math.floor(to / QUARTER) * QUARTER
  local first = math.floor(from / QUARTER) * QUARTER + QUARTER
  if last < first then
    return function(edge) return edge > last and bytes or 0 end
  end
  local head = ledger.share(bytes, first - from, whole)
  local full = ledger.share(bytes, QUARTER, whole)
  return function(edge)
    if edge > last then return bytes end
    if edge < first then return 0 end
    return head + math.ceil((edge - first) / QUARTER) * full
  end
end
