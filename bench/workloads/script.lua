-- SPDX-License-Identifier: MIT
-- A Lua workload: tables, closures, string building, floating point.
local eighths = tonumber(os.getenv("eighths"))
local counts = {}
for line in io.lines(os.getenv("small")) do
  for word in line:gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
end
local names = {}
for word in pairs(counts) do names[#names + 1] = word end
table.sort(names)
print(#names, names[1], counts[names[1]])
local function make(step) local n = 0 return function() n = n + step return n end end
local a, b, sum = make(3), make(0.5), 0
for i = 1, 300000 * eighths // 8 do sum = sum + a() * b() % 17 end
print(string.format("%.6f", sum))
local parts = {}
for i = 1, 40000 * eighths // 8 do parts[#parts + 1] = string.format("%x", i * 7919) end
print(#table.concat(parts, ","))
