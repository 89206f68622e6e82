---@meta
-- The natives (require("podsmith.core")) are documented over each C++ function in host/lua/bind_*.cpp; only
-- lua/podsmith/ uses them. Scripts use the modules, whose annotations are the API's documentation.
error("podsmith._meta is for editors")
