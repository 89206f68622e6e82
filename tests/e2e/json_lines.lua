-- Counts the lines of its input; every one must be a JSON object.

local count = 0
for line in io.lines() do
  local value = json.decode(line)
  assert(type(value) == "table", line)
  count = count + 1
end
print(count)
