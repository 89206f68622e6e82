--- The keys that a program's config file knows, with their kinds: texts are read by them, values checked by them, and an
--- unknown name is answered with the nearest one.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local yaml = require("podsmith.yaml")

local M = {}

---@alias podsmith.ConfigKind "string"|"boolean"|"integer"|"number"|"list"|"map"|"list or string"|"map or string"

---@class podsmith.Schema
---@field program string
local Schema = {}
Schema.__index = Schema
Schema.__name = "schema"

--- A schema: `config.schema("the trainer", { integer = "seed max_steps", number = "learning_rate", map = "kwargs?" })`. A
--- question mark behind a name allows null.
---@param program string who reads the file, for messages
---@param ... table<podsmith.ConfigKind, string> names by kind, parted by spaces
---@return podsmith.Schema
function M.new(program, ...)
  local self = setmetatable({ program = program, kinds = {}, may_be_null = {}, names = {} }, Schema)
  for _, groups in ipairs { ... } do
    for kind, text in pairs(groups) do
      for name, mark in text:gmatch("([^%s?]+)(%??)") do
        self.kinds[name], self.may_be_null[name] = kind, mark ~= ""
        self.names[#self.names + 1] = name
      end
    end
  end
  table.sort(self.names)
  return self
end

local function refuse(where, message, hint)
  errors.raise("invalid", (where and where .. ": " or "") .. message, hint, { usage = true })
end

local function is_list(value) return type(value) == "table" and json.encode(value):sub(1, 1) == "[" end

local IS = {
  string = function(value) return type(value) == "string" end,
  boolean = function(value) return type(value) == "boolean" end,
  integer = function(value) return math.type(value) == "integer" end,
  number = function(value) return type(value) == "number" end,
  list = is_list,
  map = function(value) return type(value) == "table" and not is_list(value) end,
}

local SAID = { string = "a text", boolean = "true or false", integer = "a whole number", number = "a number", list = "a list",
  map = "a map" }

local function is_of(kind, value)
  for one in kind:gmatch("%a+") do if IS[one] and IS[one](value) then return true end end
  return false
end

local function said(kind)
  return (kind:gsub("%a+", SAID))
end

local function shown(value)
  return type(value) == "string" and ("'%s'"):format(value) or json.encode(value)
end

-- The kind of a key. Raises on an unknown one.
function Schema:kind(name, where)
  local kind = self.kinds[name]
  if kind then return kind end
  local near = core.nearest(name, self.names)
  refuse(where, ("%s knows no key '%s'"):format(self.program, name), near ~= "" and ("did you mean '%s'?"):format(near) or nil)
end

--- A value for a key, as the key wants it: 1e-6, which YAML takes for text, is a number where one is wanted. Raises invalid,
--- as wrong usage: unknown key, wrong kind.
---@param name string
---@param value any
---@param where? string "my.yaml:3", for messages
---@return any
function Schema:fit(name, value, where)
  local kind = self:kind(name, where)
  if value == json.null and self.may_be_null[name] then return value end
  if type(value) == "string" and (kind == "number" or kind == "integer") then value = tonumber(value) or value end
  if kind == "integer" and type(value) == "number" then value = math.tointeger(value) or value end
  if is_of(kind, value) then return value end
  refuse(where, ("%s must be %s, not %s"):format(name, said(kind), shown(value)))
end

-- A text whose kind is not told: what YAML makes of it, and numbers without a dot as numbers.
local function guess(text, where)
  return tonumber(text) or yaml.decode(text, where)
end

local function list_of(text, where)
  if text:match("^%s*%[") then return yaml.decode(text, where) end
  local list = json.array {}
  for piece in text:gmatch("[^,]+") do list[#list + 1] = guess(piece:match("^%s*(.-)%s*$"), where) end
  return list
end

local function value_of(kind, text, where)
  if kind == "string" then return text end
  if kind == "list" then return list_of(text, where) end
  if kind == "list or string" and not text:find("[%[,]") then return text end
  if kind == "list or string" then return list_of(text, where) end
  return guess(text, where)
end

--- Reads "key=value" or "map.key=value", by the key's kind. Raises invalid, as wrong usage.
---@param text string
---@param where? string for messages
---@return string path, any value
function Schema:read(text, where)
  local path, value = text:match("^%s*([%w_.]+)%s*=(.*)$")
  if not path then refuse(where, ("'%s' is not KEY=VALUE"):format(text), "for example learning_rate=2e-6") end
  local name, rest = path:match("^([^.]+)%.?(.*)$")
  local kind = self:kind(name, where)
  where = (where and where .. " " or "") .. path
  if rest ~= "" then
    if not kind:find("map", 1, true) then refuse(where, ("%s is %s and has no keys of its own"):format(name, said(kind))) end
    return path, guess(value, where)
  end
  if value == "null" and self.may_be_null[name] then return path, json.null end
  return path, self:fit(name, value_of(kind, value, where), where)
end

return M
