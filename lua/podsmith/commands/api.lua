--- `podsmith api`: the Lua API, read from its annotations.

local api = {
  name = "api", operands = "[NAME]", summary = "the Lua API: a module, a function or a class of options",
  params = { { "name", "string", positional = true, default = "", help = "like gpu, runpod.create, pod.exec, PodSpec" },
    { "markdown", "flag", help = "all of it as a page" } },
  run = function(args)
    if args.markdown then return print(require("podsmith.api_page").text()) end
    if require("podsmith.help").help(args.name ~= "" and args.name or nil) == false then return 1 end
  end,
}

return api
