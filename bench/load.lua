-- Sends the requests of a file in turn, and prints what came of them.
-- The file has whole requests, a NUL after each.

local requests = {}
local turn = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for text in file:read("*a"):gmatch("(%Z+)%z") do
    requests[#requests + 1] = text
  end
  file:close()
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"answers": %d, "refused": %d, "broken": %d, "seconds": %f,'
    .. ' "p50": %f, "p99": %f}\n',
    summary.requests, errors.status, broken, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
