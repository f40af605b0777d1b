-- Sends the requests of a file in turn, and prints what came of them.
-- The file has whole requests, a NUL after each. Where a text is given that
-- each good answer has, any other answer counts as refused.

local requests = {}
local turn = 0
wrong = 0
local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for text in file:read("*a"):gmatch("(%Z+)%z") do
    requests[#requests + 1] = text
  end
  file:close()
  local wanted = args[2]
  if wanted then
    -- wrk reads response bodies only if this function exists.
    response = function(status, _, body)
      if status ~= 200 or not body:find(wanted, 1, true) then
        wrong = wrong + 1
      end
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  local refused = errors.status
  for _, thread in ipairs(threads) do
    refused = math.max(refused, thread:get("wrong"))
  end
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"answers": %d, "refused": %d, "broken": %d, "seconds": %f,'
    .. ' "p50": %f, "p99": %f}\n',
    summary.requests, refused, broken, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
