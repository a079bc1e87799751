-- Keeps ARGV[2] for ARGV[3] ms, if ARGV[1] is still there; an empty ARGV[1] is nothing.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
