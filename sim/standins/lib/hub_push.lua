-- Stand-in: what huggingface_hub does when a trainer pushes, over the same HTTP calls (without Xet).

local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for shift = 18, 0, -6 do
      local index = bits >> shift & 63
      out[#out + 1] = ALPHABET:sub(index + 1, index + 1)
    end
    if not c then out[#out] = "=" end
    if not b then out[#out - 1] = "=" end
  end
  return table.concat(out)
end

local function sha256(path)
  local pipe = assert(io.popen("sha256sum '" .. path:gsub("'", "'\\''") .. "'", "r"))
  local line = pipe:read("l") or ""
  pipe:close()
  return assert(line:match("^(%x+)"), "sha256sum of " .. path .. " failed")
end

local Hub = {}
Hub.__index = Hub

--- @param endpoint string e.g. "http://127.0.0.1:4000"
--- @param token any a secret
function M.new(endpoint, token)
  return setmetatable({ endpoint = endpoint:gsub("/+$", ""), token = token }, Hub)
end

local function refused(method, url, answer)
  local said = answer.headers["x-error-message"]
  if not said or said == "" then said = answer.body:sub(1, 300) end
  error(("huggingface_hub.errors.HfHubHTTPError: %d Client Error for url: %s (%s)\n\n%s"):format(
    answer.status, url, method, said), 0)
end

function Hub:call(method, path, body, content_type, may)
  local url = path:match("^http") and path or self.endpoint .. path
  local headers = { ["User-Agent"] = "unknown/None; hf_hub/0.34.4; python/3.11.13" }
  if body then headers["Content-Type"] = content_type or "application/json" end
  local answer = http.request { method = method, url = url, headers = headers, body = body, bearer = self.token }
  if answer.status // 100 ~= 2 and not (may and may[answer.status]) then refused(method, url, answer) end
  return answer
end

--- A text file of a repository, or nil when it has no such file; raises when there is no such repository.
function Hub:text(id, path)
  local answer = self:call("GET", ("/%s/resolve/main/%s"):format(id, path), nil, nil, { [404] = true, [401] = true, [403] = true })
  if answer.status == 200 then return answer.body end
  if answer.headers["x-error-code"] == "EntryNotFound" then return nil end
  return nil, answer
end

function Hub:has_dataset(id)
  return self:call("GET", "/api/datasets/" .. id, nil, nil, { [404] = true, [401] = true }).status == 200
end

function Hub:create(id, is_private)
  local owner, name = id:match("^([^/]+)/(.+)$")
  if not owner then error("hub_model_id must be namespace/name, got " .. id, 0) end
  self:call("POST", "/api/repos/create", json.encode { name = name, organization = owner, private = is_private or false }, nil,
    { [409] = true })
end

--- The names of a model's files.
function Hub:files(id)
  local names = {}
  for i, file in ipairs(json.decode(self:call("GET", "/api/models/" .. id).body).siblings or {}) do names[i] = file.rfilename end
  return names
end

local function put(url, body)
  local answer = http.request { method = "PUT", url = url, body = body }
  if answer.status // 100 ~= 2 then refused("PUT", url:gsub("?.*", ""), answer) end
  return answer
end

-- Parts of a multipart upload, then the call that joins them.
local function put_parts(oid, action, bytes)
  local size = math.tointeger(tonumber(action.header.chunk_size))
  local numbers = {}
  for name in pairs(action.header) do
    if name:match("^%d+$") then numbers[#numbers + 1] = name end
  end
  table.sort(numbers, function(a, b) return tonumber(a) < tonumber(b) end)
  local parts = {}
  for i, name in ipairs(numbers) do
    local answer = put(action.header[name], bytes:sub((i - 1) * size + 1, i * size))
    parts[i] = { partNumber = math.tointeger(tonumber(name)), etag = answer.headers.etag }
  end
  local answer = http.request {
    method = "POST", url = action.href, body = json.encode { oid = oid, parts = parts },
    headers = { Accept = "application/vnd.git-lfs+json", ["Content-Type"] = "application/vnd.git-lfs+json" },
  }
  if answer.status // 100 ~= 2 then refused("POST", "complete_multipart", answer) end
end

function Hub:upload_large(id, files)
  local objects, by_oid = {}, {}
  for _, file in ipairs(files) do
    file.oid = sha256(file.from)
    objects[#objects + 1] = { oid = file.oid, size = #file.bytes }
    by_oid[file.oid] = file
  end
  local answer = self:call("POST", ("/%s.git/info/lfs/objects/batch"):format(id), json.encode {
    operation = "upload", transfers = { "basic", "multipart" }, hash_algo = "sha256", objects = objects,
  }, "application/vnd.git-lfs+json")
  for _, object in ipairs(json.decode(answer.body).objects) do
    if object.error then error("LFS upload refused: " .. tostring(object.error.message), 0) end
    local actions = object.actions
    if actions then
      local bytes = by_oid[object.oid].bytes
      if actions.upload.header and actions.upload.header.chunk_size then
        put_parts(object.oid, actions.upload, bytes)
      else
        put(actions.upload.href, bytes)
      end
      if actions.verify then
        self:call("POST", actions.verify.href, json.encode { oid = object.oid, size = object.size },
          "application/vnd.git-lfs+json")
      end
    end
  end
end

--- Commits files to the main branch: {path = name in the repository, from = local file}; `gone` names those to remove.
--- Gives the commit's id.
function Hub:push(id, summary, files, gone)
  local asked, by_path = {}, {}
  for _, file in ipairs(files) do
    file.bytes = fs.read(file.from)
    by_path[file.path] = file
    asked[#asked + 1] = { path = file.path, size = #file.bytes, sample = base64(file.bytes:sub(1, 512)) }
  end
  local answer = self:call("POST", ("/api/models/%s/preupload/main"):format(id), json.encode { files = asked })
  local large = {}
  for _, row in ipairs(json.decode(answer.body).files) do
    by_path[row.path].mode = row.uploadMode
    if row.uploadMode == "lfs" then large[#large + 1] = by_path[row.path] end
  end
  if #large > 0 then self:upload_large(id, large) end
  local lines = { json.encode { key = "header", value = { summary = summary, description = "" } } }
  for _, file in ipairs(files) do
    lines[#lines + 1] = json.encode(file.mode == "lfs"
      and { key = "lfsFile", value = { path = file.path, algo = "sha256", oid = file.oid, size = #file.bytes } }
      or { key = "file", value = { path = file.path, content = base64(file.bytes), encoding = "base64" } })
  end
  for _, name in ipairs(gone or {}) do
    lines[#lines + 1] = json.encode { key = "deletedFile", value = { path = name } }
  end
  local done = self:call("POST", ("/api/models/%s/commit/main"):format(id), table.concat(lines, "\n") .. "\n",
    "application/x-ndjson")
  return json.decode(done.body).commitOid
end

return M
