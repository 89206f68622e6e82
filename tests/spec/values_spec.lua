local errors = require("podsmith.errors")

describe("errors", function()
  it("print as one line and the hint", function()
    local err = errors.new("capacity", "no L40S in EU-RO-1", "try --cloud ALL")
    expect(tostring(err)).equals("no L40S in EU-RO-1\n  hint: try --cloud ALL")
  end)

  it("cross C++ and Lua whole", function()
    local err = expect(function() yaml.decode("a: [1", "x.yaml") end):raises("^x%.yaml:", "invalid")
    expect(err.retryable).is_false()
    expect(errors.is(err)).is_true()
  end)

  it("keep their cause and status in context", function()
    local inner = errors.new("remote", "HTTP 500", nil, { status = 500, retryable = true })
    local outer = errors.within("create pod x", inner)
    expect(outer.message).equals("create pod x: HTTP 500")
    expect(outer.status).equals(500)
    expect(outer.retryable).is_true()
  end)

  it("are an answer with try, and bugs are not", function()
    local value, err = try(fs.read, "/does/not/exist")
    expect(value).is_nil()
    expect(err.kind).equals("not_found")
    expect(err.message):contains("/does/not/exist")
    expect(function() try(function() local x = nil x() end) end):raises("attempt to call a nil value")
  end)

  it("name an unknown option, the nearest one and the caller's line", function()
    local err = expect(function() http.request { ulr = "x" } end):raises("http.request has no option 'ulr'", "invalid")
    expect(err.message):matches("values_spec.lua:%d+")
    expect(err.hint).equals("did you mean 'url'?")
  end)

  it("read lengths of time", function()
    expect(errors.seconds("90s")).equals(90)
    expect(errors.seconds("20m")).equals(1200)
    expect(errors.seconds("1.5h")).equals(5400.0)
    expect(function() errors.seconds("soon", "timeout") end):raises("timeout: 'soon' is no length of time", "invalid")
  end)
end)

describe("secrets", function()
  it("print as ***", function()
    local key = secret.new("very-secret-value", "KEY")
    expect(tostring(key)).equals("***")
    expect(key.name).equals("KEY")
    expect(require("podsmith.show").pretty { key = key }).equals("{ key = *** }")
  end)

  it("cannot be made part of a text, a path or JSON by accident", function()
    local key = secret.new("very-secret-value", "KEY")
    expect(function() return "Bearer " .. key end):raises("KEY is a secret and cannot be made part of a text")
    expect(function() return key .. "" end):raises("KEY is a secret")
    expect(function() json.encode { key = key } end):raises("KEY is a secret and cannot be written as text")
    expect(function() yaml.encode { key = key } end):raises("KEY is a secret")
    expect(function() fs.read(key) end):raises("a secret was given where a plain text is needed")
    expect(function() error(errors.new("invalid", "got very-secret-value")) end):raises()
    expect(getmetatable(key)).equals("secret")
  end)

  it("are masked in errors while they live", function()
    local key = secret.new("masked-secret-value", "KEY")
    local _, err = try(fs.read, "/no/masked-secret-value")
    expect(err.message):contains("/no/***")
    expect(tostring(key)).equals("***")
  end)

  it("are written to files that only the user can read", function()
    local path = os.tmpname()
    fs.write(path, secret.new("content-of-token", "T"))
    expect(fs.read(path)).equals("content-of-token")
    expect(fs.stat(path).mode).equals(384)
    fs.remove(path)
  end)
end)

describe("json", function()
  it("keeps arrays, numbers and order of keys", function()
    expect(json.encode { 1, 2.5, "x", true }).equals('[1,2.5,"x",true]')
    expect(json.encode(json.array {})).equals("[]")
    expect(json.encode {}).equals("{}")
    expect(json.encode(config.ordered { { "b", 1 }, { "a", 2 }, { "none", nil } })).equals('{"b":1,"a":2}')
    expect(json.encode(json.decode('{"list":[],"deep":{"n":1.0}}'))).equals('{"deep":{"n":1.0},"list":[]}')
  end)

  it("drops nulls of objects and keeps those of arrays", function()
    expect(json.decode('{"a":null,"b":1}')).equals { b = 1 }
    expect(json.decode("[1,null]")[2]).equals(json.null)
  end)

  it("refuses what JSON cannot say", function()
    expect(function() json.encode { print } end):raises("a function cannot be written as JSON", "invalid")
    expect(function() json.encode { x = 2, [0.5] = 3 } end):raises("neither an object nor an array", "invalid")
    expect(function() json.encode(0 / 0) end):raises("NaN", "invalid")
    local loop = {}
    loop.me = loop
    expect(function() json.encode(loop) end):raises("nested over 100 deep", "invalid")
    expect(function() json.decode(("["):rep(200000) .. ("]"):rep(200000)) end):raises("nested over 100 deep", "invalid")
    expect(function() json.decode("{broken") end):raises("^not JSON: ", "invalid")
  end)
end)

describe("yaml", function()
  it("writes floats and words so that PyYAML reads the same types", function()
    expect(yaml.encode(config.ordered {
      { "lr", 1e-6 }, { "flag", "no" }, { "count", 4 }, { "list", json.array {} }, { "on", true },
    })).equals("lr: 1.0e-06\nflag: 'no'\ncount: 4\nlist: []\n'on': true\n")
  end)
end)

describe("show", function()
  it("cuts tables to the width and shows durations and money", function()
    local show = require("podsmith.show")
    expect(show.duration(59)).equals("59 s")
    expect(show.duration(200)).equals("3 min 20 s")
    expect(show.duration(3720)).equals("1 h 02 min")
    expect(show.money(0.0026)).equals("$0.0026")
    expect(show.table({ "A", "B" }, { { "long one", 1 }, { "x", 22 } })).equals("A         B\nlong one  1\nx         22")
  end)
end)

describe("a table", function()
  it("cuts what may give way before anything else", function()
    local show = require("podsmith.show")
    local rows = { { "NVIDIA RTX PRO 6000 WK", "$12.34/h", "EU-RO-1, US-KS-2", "cheapest, stock HIGH, and a long reason" } }
    local text = show.table({ "GPU", "PRICE", "DATA CENTERS", "WHY HERE" }, rows, { 4, 3 }, 60)
    for line in text:gmatch("[^\n]+") do expect(#line <= 60):is_true() end
    expect(text):contains("NVIDIA RTX PRO 6000 WK  $12.34/h  EU-RO-1, US")
    local first = show.table({ "GPU", "PRICE", "DATA CENTERS", "WHY HERE" }, rows, { 4, 3 }, 70)
    expect(first):contains("EU-RO-1, US-KS-2  cheapest")
  end)
end)

describe("yaml.decode in order", function()
  it("keeps the order of keys and the nulls, and what is added comes last", function()
    local tree = yaml.decode("zeta: 1\nalpha:\n  c: null\n  b: [1, null]\n", "x", { ordered = true })
    tree.beta = true
    tree.alpha.a = "new"
    expect(yaml.encode(tree)).equals("zeta: 1\nalpha:\n  c: null\n  b:\n  - 1\n  - null\n  a: new\nbeta: true\n")
    expect(tree.alpha.c).equals(json.null)
    expect(yaml.decode("alpha: null").alpha).is_nil()
  end)
end)

describe("config.set", function()
  it("makes the maps on the way, and changes what is there", function()
    local tree = config.ordered { { "b", 1 }, { "kwargs", { lr = 1 } } }
    config.set(tree, "b", 2)
    config.set(tree, "kwargs.lr", 0.5)
    config.set(tree, "optim.adam.beta", 0.9)
    expect(json.encode(tree)).equals('{"b":2,"kwargs":{"lr":0.5},"optim":{"adam":{"beta":0.9}}}')
  end)

  it("refuses to go through what is no map", function()
    expect(function() config.set({ a = 1 }, "a.b", 2) end):raises("a is no map: a.b cannot be set in it", "invalid")
  end)
end)

describe("a schema", function()
  local schema = config.schema("the oven", { integer = "seed size?", number = "heat", ["list or string"] = "trays", map = "more",
    boolean = "fan", string = "name?" }, { list = "times" })

  it("reads a text by the key's kind", function()
    local function read(text) return select(2, schema:read(text)) end
    expect(read("heat=1e-6")).equals(1e-6)
    expect(read("heat=200")).equals(200)
    expect(read("seed=0x10")).equals(16)
    expect(read("fan=yes")).equals(true)
    expect(read("name=a=b, c")).equals("a=b, c")
    expect(read("name=null")).equals(json.null)
    expect(read("size=null")).equals(json.null)
    expect(read("times=1, 2.5,x")).equals { 1, 2.5, "x" }
    expect(read("times=[1, [2]]")).equals { 1, { 2 } }
    expect(read("trays=all")).equals("all")
    expect(read("trays=a,b")).equals { "a", "b" }
    expect({ schema:read("more.deep.key=2e-1") }).equals { "more.deep.key", 0.2 }
    expect(read("more={a: 1}")).equals { a = 1 }
  end)

  it("takes a number that YAML reads as text, and no other text", function()
    expect(schema:fit("heat", "1e-6")).equals(1e-6)
    expect(schema:fit("seed", 7.0)).equals(7)
    local err = expect(function() schema:fit("heat", "hot", "x.yaml:3") end)
      :raises("^x%.yaml:3: heat must be a number, not 'hot'$", "invalid")
    expect(err.usage).is_true()
    expect(function() schema:fit("seed", json.null) end):raises("seed must be a whole number, not null")
    expect(function() schema:fit("trays", true) end):raises("trays must be a list or a text, not true")
    expect(function() schema:fit("more", json.array {}) end):raises("more must be a map, not %[%]")
  end)

  it("names the nearest key", function()
    local err = expect(function() schema:read("haet=1") end):raises("^the oven knows no key 'haet'$", "invalid")
    expect(err.hint).equals("did you mean 'heat'?")
    expect(function() schema:read("heat.x=1") end):raises("heat is a number and has no keys of its own")
    expect(function() schema:read("heat") end):raises("'heat' is not KEY=VALUE")
    expect(function() schema:read("times=[1") end):raises("times:1:")
  end)
end)
