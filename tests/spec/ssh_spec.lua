local core = require("podsmith.core")
local escapes = require("podsmith.escapes")
local exec = require("podsmith.exec")
local host_keys = require("podsmith.host_keys")
local pod_env = require("podsmith.pod_env")

describe("the escapes of a session", function()
  local function typed(...)
    local feed, steps = escapes.reader(), {}
    for i, text in ipairs { ... } do steps[i] = feed(text) end
    return table.unpack(steps)
  end

  it("end it after a line end, and nowhere else", function()
    expect(typed("~.").is_end).is_true()
    local first, second = typed("ls\r", "~.more")
    expect(first.send).equals("ls\r")
    expect(second.is_end).is_true()
    expect(second.send).equals("")
    expect(typed("a~.").send).equals("a~.")
    expect(typed("a~.").is_end).is_nil()
  end)

  it("come in pieces, and send what is no escape", function()
    local _, tilde, dot = typed("\r", "~", ".")
    expect(tilde.send).equals("")
    expect(dot.is_end).is_true()
    expect(typed("~~.").send).equals("~.")
    expect(typed("~x\n").send).equals("~x\n")
    local help = typed("~?ls")
    expect(help.say):contains("ends the connection")
    expect(help.send).equals("ls")
    expect(typed("caf\u{e9} ~ \0\255").send).equals("caf\u{e9} ~ \0\255")
  end)
end)

describe("the variables of a pod", function()
  local environ = table.concat({ "RUNPOD_POD_ID=abc", "RUNPOD_API_KEY=rpa_0123456789", "JUPYTER_PASSWORD=jj-secret-jj", "HOME=/root",
    "PATH=/opt/bin:/bin", "EMPTY=", "MULTI=a\nb=c", "HF_TOKEN=", "PUBLIC_KEY=ssh-ed25519 AAAA", "PODSMITH_GUARD=x", "SSH_CLIENT=x",
    "BASH_FUNC_f%%=() { :; }", "no-name=1", "novalue", "_=/bin/x" }, "\0") .. "\0"
  local variables = pod_env.parse(environ)

  it("are handed on whole, without those of the first process itself", function()
    expect(variables.RUNPOD_POD_ID).equals("abc")
    expect(variables.PATH).equals("/opt/bin:/bin")
    expect(variables.EMPTY).equals("")
    expect(variables.MULTI).equals("a\nb=c")
    for _, name in ipairs { "HOME", "PUBLIC_KEY", "PODSMITH_GUARD", "SSH_CLIENT", "BASH_FUNC_f%%", "no-name", "novalue", "_" } do
      expect(variables[name]).is_nil()
    end
  end)

  it("are secrets where their names say so", function()
    expect(tostring(variables.RUNPOD_API_KEY)).equals("***")
    expect(tostring(variables.JUPYTER_PASSWORD)).equals("***")
    expect(core.redact("the key is rpa_0123456789.")).equals("the key is ***.")
    expect(variables.HF_TOKEN).equals("")
  end)
end)

describe("host keys", function()
  it("are pinned or verified, and there is no way to switch that off", function()
    expect(host_keys.mode()).equals("pin")
    expect(host_keys.mode("verify")).equals("verify")
    local err = expect(function() host_keys.mode("off") end):raises("host_keys is 'off'", "invalid")
    expect(err.hint):contains('There is no "off"')
  end)

  it("have a name of their own for each start of the container", function()
    local pod = { id = "abc", data = { createdAt = "2026-11-22T09:00:00Z" } }
    expect(host_keys.alias(pod)).equals("pod-abc-20261122T090000Z")
    pod.data.startedAt = "2026-11-22T10:00:00.5Z"
    expect(host_keys.alias(pod)).equals("pod-abc-20261122T1000005Z")
  end)

  local function pod_and_client(image, entries)
    local client = { asked = 0 }
    function client:logs()
      self.asked = self.asked + 1
      local i = 0
      return { next = function(_, idle)
        i = i + 1
        if not entries[i] then task.sleep(idle) end
        return entries[i]
      end, close = function() end }
    end
    return { id = "p" .. core.random_tag(8), image = image, data = { createdAt = "2026-11-22T09:00:00Z" } }, client
  end

  it("are not believed when the log that could tell does not come", function()
    local pod, client = pod_and_client("runpod/base:1.0.2-ubuntu2404", {})
    local err = expect(function() host_keys.policy(pod, client) end):raises("its log cannot be read", "host_key")
    expect(err.message):contains("no line came within 5 s")
    expect(err.hint):contains("nothing was sent to it")
    expect(client.asked).equals(4)
  end)

  it("are pinned where a log was read that shows none, and refused where they must be verified", function()
    local pod, client = pod_and_client("runpod/base:1.0.2-ubuntu2404", { { source = "system", line = "start container" } })
    local policy = host_keys.policy(pod, client)
    expect(policy.fingerprints).is_nil()
    expect(policy.pin).is_true()
    pod.host_keys = "verify"
    expect(function() host_keys.policy(pod, client) end):raises("its log shows no SSH host keys", "timeout")
  end)

  it("of an image that shares them are refused where they must be verified", function()
    local pod, client = pod_and_client("ubuntu:22.04", {})
    expect(host_keys.policy(pod, client).must_be_verified).is_false()
    expect(client.asked).equals(0)
    pod.host_keys = "verify"
    expect(function() host_keys.policy(pod, client) end):raises("nothing vouches for those of image ubuntu:22.04", "host_key")
  end)
end)

describe("a command's limit", function()
  it("ends the wait with an error that is no broken link", function()
    local err = expect(function()
      exec.within(5, { id = "p" }, "sleep 100", task.sleep, 100)
    end):raises('run "sleep 100" on pod p: no answer within 5 s', "timeout")
    expect(err.retryable).is_false()
    expect(exec.within(5, { id = "p" }, "x", function(value) return value end, 7)).equals(7)
    expect(exec.within(nil, { id = "p" }, "x", function(value) return value end, 8)).equals(8)
  end)
end)
