-- A look into JSON for the shell: podsmith run query.lua EXPRESSION < FILE. The expression is Lua over v, the value
-- that was read; a list is printed one item a line, a table in it as JSON.

local expression = ...
local value = assert(load("local v = ...; return " .. expression))(json.decode(io.read("a")))
local list = type(value) == "table" and #value > 0 and value or { value }
for _, item in ipairs(list) do io.write(type(item) == "table" and json.encode(item) or tostring(item), "\n") end
