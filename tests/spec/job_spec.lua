local causes = require("podsmith.job_causes")
local errors = require("podsmith.errors")
local following = require("podsmith.job_follow")
local jobs = require("podsmith.job")
local usages = require("podsmith.job_usage")

local function job_on(session, fields)
  local pod = { id = "p", session = function() return session end }
  for name, value in pairs(fields or {}) do pod[name] = value end
  return jobs.attach(pod, "j")
end

local function raise(kind, message, retryable) error(errors.new(kind, message, nil, { retryable = retryable }), 0) end

describe("a job over a link", function()
  it("takes a command that is slow for no lost link, and gives up after three", function()
    local calls = 0
    local job = job_on { exec = function()
      calls = calls + 1
      raise("timeout", "run: no answer within 60 s", false)
    end }
    expect(function() job:status() end):raises("no answer within 60 s", "timeout")
    expect(calls).equals(3)
    expect(job.said_lost).is_nil()
  end)

  it("goes on after a broken link, as often as it breaks", function()
    local calls = 0
    local job = job_on { exec = function()
      calls = calls + 1
      if calls <= 5 then raise("network", "cut", true) end
      return { code = 0, stdout = "state=running size=12 base=0 id=1234 code=-1\n", stderr = "" }
    end }
    local status = job:status()
    expect(status.size).equals(12)
    expect(status.id).equals("1234")
    expect(status.code).is_nil()
    expect(calls).equals(6)
  end)

  it("takes a command that a signal has ended for a broken link: its server went down", function()
    local calls = 0
    local job = job_on { exec = function()
      calls = calls + 1
      if calls == 1 then return { code = -1, signal = "KILL", stdout = "", stderr = "" } end
      return { code = 0, stdout = "state=running size=1 base=0", stderr = "" }
    end }
    expect(job:status().size).equals(1)
    expect(job.said_lost).is_true()
  end)

  it("gives up when connections are made and nothing comes over them", function()
    local calls = 0
    local job = job_on({ exec = function()
      calls = calls + 1
      raise("network", "cut", true)
    end }, { reconnect_limit = 60 })
    local err = expect(function() job:status() end):raises("nothing comes through from pod p any more: cut", "network")
    expect(err.retryable).is_true()
    expect(calls > 100 and calls < 130).is_true()
  end)

  it("counts from the last sign of life, not from the start", function()
    local job, calls = job_on({}, { reconnect_limit = 60 }), 0
    local result = following.over_link(job, function()
      calls = calls + 1
      task.sleep(1000)
      job.heard_at = task.now()
      if calls < 4 then raise("network", "cut", true) end
      return "done"
    end)
    expect(result).equals("done")
  end)

  it("is said to be lost with the reason that the pod gives", function()
    local function with(state)
      return job_on { exec = function() return { code = 0, stdout = "state=" .. state .. " size=0 base=0", stderr = "" } end }
    end
    local err = expect(function() with("restarted"):wait() end):raises("was lost when the pod's container started anew", "lost")
    expect(err.hint):contains("/workspace/.podsmith/jobs/j/log")
    expect(function() with("killed"):wait() end):raises("job j on pod p ended without an exit status", "lost")
    expect(function() with("absent"):wait() end):raises("pod p has no job j", "not_found")
    expect(function() with("dreaming"):wait() end):raises("the state of job j cannot be read: state=dreaming", "protocol")
  end)
end)

-- What a pod's follower prints, as pieces of {text, stream}; after the last of them the link breaks or the stream ends.
local function pod_with(streams, status)
  local asked = {}
  local session = {}
  function session.start(_, _, options)
    asked[#asked + 1] = options.input
    local pieces, i = streams[#asked], 0
    return { close = function() end, read = function()
      i = i + 1
      local piece = pieces[i]
      if piece == "cut" then raise("network", "cut", true) end
      if piece and piece ~= "killed" then return piece[1], piece[2] or "stdout" end
    end, wait = function() return pieces[i] == "killed" and { code = -1, signal = "KILL" } or { code = 0 } end }
  end
  function session.exec() return { code = 0, stdout = status, stderr = "" } end
  return session, asked
end

local function follow(job)
  local got, gaps, samples = {}, {}, {}
  following.follow(job, {
    data = function(data) got[#got + 1] = data end,
    gap = function(from, to) gaps[#gaps + 1] = { from, to } end,
    usage = function(usage) samples[#samples + 1] = usage.n end,
  })
  return table.concat(got), gaps, samples
end

local function sample(n, fields)
  local row = { n = n, t = n * 15, log = 0, cpu = 0, ram = { 1, 2 }, disk = { 1e6, 2e6 }, root = { 1e6, 2e6 }, gpus = {} }
  for name, value in pairs(fields or {}) do row[name] = value end
  return json.encode(row)
end

describe("a follower", function()
  it("goes on where the link broke, in a header, a line or a sample", function()
    local session, asked = pod_with({
      { { "ab" }, "cut" },
      { { "ab12 " }, { "0\none\ntw" }, { sample(1) .. "\n" .. sample(2):sub(1, 9), "stderr" }, "cut" },
      { { sample(2) .. "\ntail: a warning\n", "stderr" }, { "ab12 6\no" }, "killed" },
      { { "ab12 7\n\n" } },
    }, "state=ended size=8 base=0 id=ab12 code=0")
    local job = job_on(session)
    job.sample = 0
    local text, gaps, samples = follow(job)
    expect(text).equals("one\ntwo\n")
    expect(#gaps).equals(0)
    expect(samples).equals { 1, 2 }
    expect(job.id).equals("ab12")
    expect(asked[3]):contains("id='ab12' from=6 samples=+2")
  end)

  it("says what the pod had given up before it was read", function()
    local session = pod_with({
      { { "x 0\nold\n" }, "cut" },
      { { "x 100\nnew\n" } },
    }, "state=ended size=104 base=100 id=x code=0")
    local text, gaps = follow(job_on(session))
    expect(text).equals("old\nnew\n")
    expect(gaps).equals { { 4, 100 } }
  end)

  it("takes zeros for what they are: given up when base says so, else the log's own", function()
    local session = pod_with({
      { { "x 0\nold\n" }, { "\0\0\0\0" } },
      { { "x 8\nnew\n" } },
    }, "state=ended size=12 base=8 id=x code=0")
    local text, gaps = follow(job_on(session))
    expect(text).equals("old\nnew\n")
    expect(gaps).equals { { 4, 8 } }
    session = pod_with({ { { "x 0\na\0b\n" } } }, "state=ended size=4 base=0 id=x code=0")
    expect((follow(job_on(session)))).equals("a\0b\n")
  end)

  it("does not go on in the log of another job of the same name", function()
    local session = pod_with({ { { "x 0\nold\n" }, "cut" }, { { "y 0\n" } } }, "state=running size=4 base=0 id=y")
    local err = expect(function() follow(job_on(session)) end):raises("has given way to a newer one", "lost")
    expect(err.hint):contains("kept aside")
  end)

  it("gives up on a log that is shorter than it should be", function()
    local streams = {}
    for i = 1, 20 do streams[i] = { { "x 0\n" } } end
    local err = expect(function() follow(job_on((pod_with(streams, "state=ended size=9 base=0 id=x code=0")))) end)
      :raises("cannot be read beyond byte 0 of 9", "remote")
    expect(err.hint):contains("GNU tail")
  end)
end)

describe("what a pod uses", function()
  it("comes in GiB, percent and watts; what a driver does not tell is absent", function()
    local usage = usages.parse(sample(3, { ram = { 2 * 1024 ^ 3, 8 * 1024 ^ 3 }, disk = { 1024 ^ 2, 4 * 1024 ^ 2 },
      gpus = { { 97, 1024, 2048, 60, 250.5, 300 }, { json.null, 0, 2048, json.null, json.null, json.null } } }))
    expect(usage.ram).equals { used = 2.0, total = 8.0 }
    expect(usage.disk).equals { used = 1.0, total = 4.0 }
    expect(usage.gpus[1]).equals { util = 97, memory_used = 1.0, memory_total = 2.0, temperature = 60, power = 250.5, power_limit = 300 }
    expect(usage.gpus[2]).equals { memory_used = 0.0, memory_total = 2.0 }
    for _, broken in ipairs { "", "{", "[]", "{}", '{"n":1}', sample(1):sub(1, -3) } do expect(usages.parse(broken)).is_nil() end
  end)

  it("tells a full disk", function()
    expect(usages.full_disk(usages.parse(sample(1)))).is_nil()
    expect((usages.full_disk(usages.parse(sample(1, { disk = { 2e6, 2e6 } }))))).equals("/workspace")
    expect((usages.full_disk(usages.parse(sample(1, { root = { 2e6, 2e6 } }))))).equals("/")
  end)
end)

describe("a job that hangs", function()
  local function run(limit, rows)
    local detect, said = usages.hang_detector(limit), {}
    for i, row in ipairs(rows) do
      local hang = detect(usages.parse(sample(i, row)))
      if hang then said[#said + 1] = { i, hang.seconds } end
    end
    return said
  end
  local idle, busy = { gpus = { { 0, 0, 1, 30, 50, 300 } } }, { gpus = { { 80, 1, 1, 30, 250, 300 } } }

  it("neither writes nor uses a GPU for so long, and is said once", function()
    expect(run(45, { idle, idle, idle, idle, idle, idle })).equals { { 4, 45 } }
    expect(run(45, { idle, idle, idle, busy, idle, idle, idle })).equals { { 7, 45 } }
    expect(run(45, { busy, busy, busy, busy, busy, busy })).equals {}
  end)

  it("is no longer one when its log grows, and may hang again", function()
    local grown = { gpus = idle.gpus, log = 10 }
    expect(run(30, { idle, idle, idle, grown, grown, grown, grown })).equals { { 3, 30 }, { 6, 30 } }
  end)

  it("may spin in a collective: full use at little power", function()
    local spinning = { gpus = { { 100, 1, 1, 40, 90, 300 }, { 0, 1, 1, 30, 50, 300 } } }
    local working = { gpus = { { 100, 1, 1, 40, 280, 300 } } }
    expect(run(30, { spinning, spinning, spinning })).equals { { 3, 30 } }
    expect(run(30, { working, working, working, working })).equals {}
  end)

  it("has an idle processor where there is no GPU", function()
    expect(run(30, { { cpu = 2 }, { cpu = 1 }, { cpu = 0 } })).equals { { 3, 30 } }
    expect(run(30, { { cpu = 2 }, { cpu = 100 }, { cpu = 100 }, { cpu = 90 } })).equals {}
  end)
end)

describe("why a job ended", function()
  local function name_of(facts)
    local cause = causes.of(facts)
    return cause and cause.name
  end

  it("is told by its log", function()
    local said = {
      cuda_out_of_memory = { "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`" },
      disk_full = { "OSError: [Errno 28] No space left on device: '/workspace/out'", "tar: write error: Disk quota exceeded" },
      nccl = { "[rank3]:[E1130 ProcessGroupNCCL.cpp:632] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=42)",
        "torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:333" },
      gpu_fault = { "RuntimeError: CUDA error: uncorrectable ECC error encountered",
        "Unable to determine the device handle for GPU0000:01:00.0" },
      no_gpu = { "RuntimeError: No CUDA GPUs are available" },
      out_of_memory = { "RuntimeError: DataLoader worker (pid 77) is killed by signal: Killed.", "MemoryError" },
      shared_memory = { "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm)." },
      hub_access = { "huggingface_hub.errors.GatedRepoError: 401 Client Error." },
      network = { "socket.gaierror: [Errno -3] Temporary failure in name resolution" },
      missing_module = { "ModuleNotFoundError: No module named 'trl'" },
      cuda_error = { "RuntimeError: CUDA error: device-side assert triggered" },
      port_taken = { "RuntimeError: The server socket has failed to listen (errno: 98 - Address already in use)." },
    }
    for name, lines in pairs(said) do
      for _, line in ipairs(lines) do
        local cause = causes.of { code = 1, tail = "step 1\n" .. line .. "\nTraceback ends\n" }
        expect(cause and cause.name).equals(name)
        expect(cause.line).equals(line)
        expect(#cause.hint > 10).is_true()
      end
    end
    expect(causes.of { code = 1, tail = "CUDA error: uncorrectable ECC error encountered" }.elsewhere).is_true()
  end)

  it("is told by what comes first: a stop, the kernel, the log, the disk, the code", function()
    expect(name_of { code = 137, stopped = true, ooms = 1, tail = "CUDA out of memory" }).equals("stopped")
    expect(name_of { code = 137, ooms = 1, tail = "NCCL error" }).equals("out_of_memory")
    expect(name_of { code = 1, left = 0, tail = "CUDA out of memory" }).equals("cuda_out_of_memory")
    expect(name_of { code = 1, left = 0 }).equals("disk_full")
    expect(name_of { code = 137, left = -1 }).equals("killed")
    expect(name_of { code = 139 }).equals("crashed")
    expect(name_of { code = 143 }).equals("terminated")
    expect(name_of { code = 127 }).equals("not_found")
  end)

  it("is not made up", function()
    expect(name_of { code = 0, tail = "CUDA out of memory, retried with a smaller batch", ooms = 1 }).is_nil()
    expect(name_of { code = 3, left = 1e6, tail = "assertion failed" }).is_nil()
  end)
end)

describe("a job's options", function()
  it("are checked before anything is sent", function()
    local pod = { id = "p", session = function() error("asked", 0) end }
    local function start(options) return function() jobs.start(pod, options) end end
    expect(start { name = "a b", script = "x" }):raises("a job needs a name", "invalid")
    expect(start { name = ".old", script = "x" }):raises("a job needs a name", "invalid")
    expect(start { name = "a" }):raises("job a: the script is missing", "invalid")
    expect(start { name = "a", script = "x", sample = 0 }):raises("job a: sample must be a number of at least 0.1", "invalid")
    expect(start { name = "a", script = "x", log_mb = "1" }):raises("job a: log_mb must be a number of at least 1", "invalid")
    local err = expect(start { name = "a", script = "x", smaple = 1 }):raises("pod:job has no option 'smaple'", "invalid")
    expect(err.hint):contains("sample")
  end)

  it("a full disk of the pod is named when the job cannot be started", function()
    local said = "bash: line 9: printf: write error: No space left on device\n"
    local session = { exec = function() return { code = 1, stdout = "", stderr = said } end }
    local err = expect(function() jobs.start({ id = "p", session = function() return session end }, { name = "a", script = "x" }) end)
      :raises("job a could not be started on pod p: .*No space left", "io")
    expect(err.hint):contains("the pod's disk is full")
  end)
end)

describe("the copy of a log", function()
  local copies = require("podsmith.job_copy")

  local function with_file(body)
    local path = os.tmpname()
    local guard <close> = setmetatable({}, { __close = function()
      fs.remove(path)
      fs.remove(path .. ".at")
    end })
    local _ = guard
    body(path)
  end
  local function add_raw(path, text)
    local file = io.open(path, "ab")
    file:write(text)
    file:close()
  end

  it("goes on where it was, whatever was written and not noted", function()
    with_file(function(path)
      local copy = copies.open(path, "a")
      copy:add("one\n", 4)
      copy:add("two\n", 8)
      copy:close()
      add_raw(path, "thr")
      copy = copies.open(path, "a")
      expect(copy.offset).equals(8)
      copy:add("three\n", 14)
      copy:close()
      expect(fs.read(path)).equals("one\ntwo\nthree\n")
      expect(fs.read(path .. ".at")).equals(("%016d %016d a\n"):format(14, 14))
    end)
  end)

  it("counts the log's bytes, not its own: secrets are masked", function()
    with_file(function(path)
      local key = secret.new("a-very-long-secret", "K")
      local copy = copies.open(path, "a")
      copy:add("key a-very-long-secret\n", 23)
      copy:close()
      copy = copies.open(path, "a")
      expect(copy.offset).equals(23)
      expect(copy.size).equals(8)
      copy:close()
      expect(fs.read(path)).equals("key ***\n")
      expect(tostring(key)).equals("***")
    end)
  end)

  it("keeps another job's log, and begins again when the file was cut short", function()
    with_file(function(path)
      local copy = copies.open(path, "a")
      copy:add("of a\n", 5)
      copy:close()
      copy = copies.open(path, "b")
      expect(copy.offset).equals(0)
      copy:add("of b\n", 5)
      copy:close()
      expect(fs.read(path)).equals("of a\nof b\n")
      add_raw(path, "lost")
      expect(copies.kept(path)).equals("of a\nof b\n")
      copy = copies.open(path, "b")
      copy:add("the end", 12)
      copy:close()
      copy = copies.open(path, "c")
      expect(copy.offset).equals(0)
      copy:add("of c\n", 5)
      copy:close()
      expect(fs.read(path)).equals("of a\nof b\nthe end\nof c\n")
      expect(copies.kept(path)).equals("of a\nof b\nthe end\nof c\n")
      copy = copies.open(path, "b")
      copy:close()
      fs.write(path, "of")
      copy = copies.open(path, "b")
      expect(copy.offset).equals(0)
      copy:close()
      expect(fs.read(path)).equals("")
    end)
  end)

  it("has one writer, and names what is wrong with its folder", function()
    with_file(function(path)
      local copy = copies.open(path, "a")
      expect(function() copies.open(path, "a") end):raises("is being written by another podsmith", "conflict")
      copy:close()
      copies.open(path, "a"):close()
    end)
    local err = expect(function() copies.open("/does/not/exist/log", "a") end):raises("write /does/not/exist/log: No such file", "io")
    expect(err.hint):contains("folder")
  end)
end)
