-- Takes from a sliding window: KEYS[1] the window; ARGV length in ms, most, cost, whether to take all the same (1 or 0).
-- The decision of `Window::take` in window.rs, by this server's clock, so that those of the askers need not agree.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local length, most, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'start', 'count', 'last')
local before, count, last = tonumber(kept[1]), 0, 0
if before and before > now then
  now = before
end
local start = now - now % length
if before == start then
  count, last = tonumber(kept[2]), tonumber(kept[3])
elseif before == start - length then
  last = tonumber(kept[2])
end
local left = start + length - now
local fits = count + math.floor(last * left / length) + cost <= most
if fits or ARGV[4] == '1' then
  count = count + cost
  redis.call('HSET', KEYS[1], 'start', start, 'count', count, 'last', last)
  redis.call('PEXPIRE', KEYS[1], left + length)
end
return {fits and 1 or 0, now, count, last}
