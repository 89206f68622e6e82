-- Lua that ships in the program (lua/), the recipes, the specs and the simulator's stand-ins.
std = "lua54"
max_line_length = 140
-- The prelude (lua/podsmith/prelude.lua) defines these for every script.
read_globals = {
  "try", "recipe", "runpod", "hf", "ssh", "gpu", "config", "task", "json", "yaml", "http", "secret", "fs", "log", "help",
}
files["tests/spec"] = { read_globals = { "describe", "it", "expect" } }
files["lua/podsmith/_meta"] = { ignore = { "212", "111", "112", "131" } }
files["lua/podsmith/prelude.lua"] = { ignore = { "111", "112", "121", "122" } }
ignore = { "212/_.*", "213/_.*" }
