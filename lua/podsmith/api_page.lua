--- The page of the Lua API, from the annotations that help() reads.

local help = require("podsmith.help")

local M = {}

-- An annotation as an item of a list.
local ITEMS = {
  { "^@param ([%w_.?]+) (.*)", "- `%s` %s" },
  { "^@field ([%w_?]+) (.*)", "- `%s` %s" },
  { "^@return (.*)", "- gives %s" },
}

-- What a type may have and Markdown would read: {a: b}|nil, table<string, x>. Not between backticks.
local function plain(text)
  return ((text .. "`"):gsub("([^`]*)(`[^`]*`?)", function(prose, code) return prose:gsub("[<>|*_]", "\\%0") .. code end)
    :sub(1, -2))
end

local function item(line)
  for _, shape in ipairs(ITEMS) do
    local first, second = line:match(shape[1])
    if second then return shape[2]:format(first, plain(second)) end
    if first then return shape[2]:format(plain(first)) end
  end
end

local function add_entry(out, entry)
  out[#out + 1] = ("### `%s`\n"):format(entry.signature)
  local is_list = false
  for _, line in ipairs(entry.text) do
    local listed = item(line)
    if listed and not is_list and out[#out]:sub(-1) ~= "\n" then out[#out + 1] = "" end
    is_list = is_list or listed ~= nil
    if listed then
      out[#out + 1] = listed
    elseif not line:find("^@") then
      out[#out + 1] = (is_list and "  " or "") .. plain(line)
    end
  end
  out[#out + 1] = ""
end

--- The whole API as Markdown.
---@return string
function M.text()
  local out = { "# The Lua API\n",
    "Made by `./dev docs` from the annotations in `lua/podsmith/`. `podsmith api NAME` and the shell's `help()` show a part.\n" }
  for _, module in ipairs(help.modules()) do
    out[#out + 1] = ("## %s\n"):format(module.title)
    out[#out + 1] = plain(table.concat(module.about, "\n")) .. "\n"
    for _, entry in ipairs(module.entries) do add_entry(out, entry) end
  end
  return (table.concat(out, "\n"):gsub("\n+$", ""))
end

return M
