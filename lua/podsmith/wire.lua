-- Our names and Runpod's: options as the bodies and queries of REST v2, and answers read by our names.

local errors = require("podsmith.errors")

local M = {}

-- In bodies and answers. A dot leads into an object. Names that are the same on both sides need no entry.
local FIELDS = {
  volume = "mounts.persistent",
  network_volume = "mounts.network",
  template = "templateId",
  start_ssh = "startSsh",
  start_jupyter = "startJupyter",
  data_center = "dataCenter",
  data_centers = "dataCenterIds",
  cuda_versions = "allowedCudaVersions",
  gpu = "compute.gpuTypeId",
  gpu_count = "compute.gpuCountPerPod",
  pod_count = "compute.podCount",
}

-- In queries.
local PARAMETERS = {
  start = "startTime",
  finish = "endTime",
  bucket = "bucketSize",
  last = "lastN",
  pod = "podId",
  volume = "networkVolumeId",
  cluster = "clusterId",
  serverless = "serverlessId",
  vcpu_count = "vcpuCount",
  volume_types = "networkVolumeTypes",
  global_network = "globalNetwork",
}

local IS_LIST = { ports = true, cmd = true, entrypoint = true, data_centers = true, cuda_versions = true }
local IS_SECRET = { password = true, value = true }

local function camel(name)
  return (name:gsub("_(%l)", string.upper))
end

-- A value as the service takes it: counts are whole numbers, an empty list is a list, and what is secret becomes one, so
-- that no error shows it.
local function wire_value(name, value)
  if math.type(value) == "float" then return math.tointeger(value) or value end
  if IS_LIST[name] and type(value) == "table" and value ~= json.null then return json.array { table.unpack(value) } end
  if IS_SECRET[name] and type(value) == "string" then return secret.new(value, name) end
  return value
end

-- Where an id is wanted, the handle does as well.
local function id_of(value)
  return type(value) == "table" and value.id or value
end

local TAKES_ID = { registry = true, template = true, network_volume = true }

local DEFAULT_PATH = "/workspace"

-- Options as a body. Only what is given is in it.
function M.body(options)
  local body = {}
  local function set(path, value)
    local object = body
    for step in path:gmatch("([^.]+)%.") do
      object[step] = object[step] or {}
      object = object[step]
    end
    object[path:match("[^.]+$")] = value
  end
  for name, value in pairs(options) do
    if TAKES_ID[name] then value = id_of(value) end
    if name == "network_volume" then
      local path = options.volume and options.volume.path or DEFAULT_PATH
      set(FIELDS[name], json.array { { volumeId = value, path = path } })
    elseif name ~= "volume" then
      set(FIELDS[name] or name, wire_value(name, value))
    elseif not options.network_volume then
      local size = wire_value("size", errors.check_options(value, { "size", "path" }, "volume").size)
      set(FIELDS[name], { size = size, path = value.path or DEFAULT_PATH })
    end
  end
  return body
end

-- Options as a query.
function M.query(options)
  local query = {}
  for name, value in pairs(options) do query[PARAMETERS[name] or name] = wire_value(name, id_of(value)) end
  return query
end

-- A field of an answer by our name.
function M.field(data, name)
  if type(name) ~= "string" then return nil end
  local value = data
  for step in (FIELDS[name] or name):gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    value = value[step]
  end
  if value == nil then value = data[camel(name)] end
  return value
end

return M
