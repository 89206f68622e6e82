--- `podsmith image`: the container image of a recipe, in which what its runs install is there already.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local recipes = require("podsmith.recipe")
local shared = require("podsmith.commands.shared")
local ssh = require("podsmith.ssh")

local PARAMS = {
  { "tag", "string", help = "name of the image, such as docker.io/you/openr1:1; default: the recipe's" },
  { "render", "string", default = "image", help = "folder for the Dockerfile and what it copies" },
  { "build", "flag", help = "run the build" },
  { "push", "flag", help = "build, and push it to the registry in its name" },
  { "engine", "choice", choices = { "docker", "podman" }, help = "what builds; default: the one that is here" },
  shared.VERBOSE,
}

-- The recipes that have an image.
local function with_image()
  local names = {}
  for _, name in ipairs(recipes.names()) do
    if recipes.load(name)().image then names[#names + 1] = name end
  end
  return names
end

local function recipe_of(arguments)
  local name = arguments[1]
  if not name or name:match("^%-") then
    params.usage("image needs a recipe", "these have an image: " .. table.concat(with_image(), ", "))
  end
  local declaration = recipes.load(name)()
  if not declaration.image then
    params.usage(("the recipe %s has no image of its own"):format(name), "these have one: " .. table.concat(with_image(), ", "))
  end
  return declaration
end

-- The recipe's flags decide what is installed; ours stand before its own of the same name.
local function all_params(declaration)
  local rows, known = table.move(PARAMS, 1, #PARAMS, 1, {}), {}
  for _, row in ipairs(PARAMS) do known[row[1]] = true end
  for _, row in ipairs(declaration.params) do
    if not known[row[1]] then rows[#rows + 1] = row end
  end
  return rows
end

-- A command line to read and to copy.
local function shown(argv)
  local words = {}
  for i, word in ipairs(argv) do words[i] = word:match("^[%w%._/:=@-]+$") and word or ssh.quote { word } end
  return table.concat(words, " ")
end

local function is_here(program)
  for folder in (core.env("PATH") or ""):gmatch("[^:]+") do
    if core.fs_stat(folder .. "/" .. program) then return true end
  end
  return false
end

local function engine_of(args)
  if args.engine then return args.engine end
  return not is_here("docker") and is_here("podman") and "podman" or "docker"
end

local function run_here(argv)
  if not is_here(argv[1]) then
    errors.raise("not_found", ("%s is not on PATH"):format(argv[1]), "install it, or copy the folder to a machine that has it")
  end
  local child = core.child_start(argv)
  for text in function() return child:read() end do io.stdout:write(text) end
  local code = child:wait()
  if code ~= 0 then errors.raise("remote", ("%s %s ended with code %d"):format(argv[1], argv[2], code)) end
end

local function execute(arguments)
  if arguments[1] == "--help" or arguments[1] == "-h" then
    print("usage: podsmith image RECIPE [flags]\n\nrecipes with an image: " .. table.concat(with_image(), ", ")
      .. "\n`podsmith image RECIPE --help` lists the flags of one.")
    return 0
  end
  local declaration = recipe_of(arguments)
  local what = "image " .. declaration.name
  local rows = all_params(declaration)
  local args = params.parse(rows, table.move(arguments, 2, #arguments, 1, {}), what)
  if args.help then
    print(params.help(what, "writes the Dockerfile of a recipe's image, and prints or runs the commands that build it", rows,
      core.terminal(1).width))
    return 0
  end
  local tag = args.tag or declaration.image.tag
  if args.push and not args.tag then
    params.usage("--push needs --tag", "name the registry and your account: --tag docker.io/you/openr1:1")
  end
  local files, base = declaration.image.files(args)
  for name, text in pairs(files) do core.fs_write(args.render .. "/" .. name, text) end
  local engine = engine_of(args)
  local commands = { { engine, "build", "--build-arg", "BASE=" .. base, "-t", tag, args.render }, { engine, "push", tag } }
  if not args.build and not args.push then
    print("# wrote the Dockerfile and what it copies to " .. args.render)
    for _, argv in ipairs(commands) do print(shown(argv)) end
    print(("# then: podsmith run %s --image %s"):format(declaration.name, tag))
    return 0
  end
  run_here(commands[1])
  if args.push then run_here(commands[2]) end
  return 0
end

return {
  name = "image", operands = "RECIPE", summary = "the container image of a recipe: its Dockerfile, and the commands that build it",
  params = {}, execute = execute,
}
