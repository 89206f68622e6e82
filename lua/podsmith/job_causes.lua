--- Why a job ended, from its exit status, the end of its log and what the pod's kernel counted: a table of causes.

local M = {}

---@class podsmith.JobCause
---@field name string "cuda_out_of_memory", "disk_full"...
---@field text string in words
---@field hint string what to do next
---@field line? string the line of the log that tells
---@field elsewhere? boolean the pod is at fault: the same job may well succeed on another one

--- What the log says, the most telling first. `patterns` are Lua patterns for a line in lower case.
---@type {name: string, patterns: string[], text: string, hint: string, elsewhere?: boolean}[]
M.BY_TEXT = {
  { name = "cuda_out_of_memory", text = "a GPU's memory did not suffice",
    hint = "lower the batch size or the sequence length, switch gradient checkpointing on, or take a GPU with more memory "
      .. "(`podsmith estimate MODEL` shows the need)",
    patterns = { "cuda out of memory", "outofmemoryerror", "cuda error: out of memory", "cublas_status_alloc_failed",
      "no available memory for the cache blocks", "cuda_error_out_of_memory" } },
  { name = "gpu_fault", text = "a GPU failed", elsewhere = true,
    hint = "the hardware is at fault: replace the pod, in another data center where you can",
    patterns = { "uncorrectable ecc error", "gpu has fallen off the bus", "gpu is lost", "xid %(pci", "uncorrectable nvlink error",
      "cuda error: unspecified launch failure", "unable to determine the device handle for gpu" } },
  { name = "no_gpu", text = "no GPU could be used", elsewhere = true,
    hint = "does the host's driver suit the image's CUDA? Ask for a newer one when renting, use an older image, or replace the pod",
    patterns = { "no cuda gpus are available", "found no nvidia driver", "cuda driver version is insufficient",
      "nvidia driver on your system is too old", "no cuda%-capable device", "forward compatibility was attempted" } },
  { name = "disk_full", text = "the pod's disk is full",
    hint = "keep fewer checkpoints (save_total_limit), or rent the pod with a larger disk or volume",
    patterns = { "no space left on device", "disk quota exceeded", "errno 28", "os error 28" } },
  { name = "shared_memory", text = "the pod's shared memory (/dev/shm) did not suffice",
    hint = "use fewer DataLoader workers, or torch.multiprocessing.set_sharing_strategy('file_system')",
    patterns = { "insufficient shared memory", "unable to open shared memory object", "dataloader worker.*bus error" } },
  { name = "out_of_memory", text = "the pod's memory (RAM) did not suffice",
    hint = "load less at once: fewer DataLoader workers, streaming data, or a pod with more memory",
    patterns = { "memoryerror", "cannot allocate memory", "defaultcpuallocator: can't allocate memory",
      "dataloader worker.*killed by signal: killed", "std::bad_alloc", "out of memory: killed process" } },
  { name = "nccl", text = "the GPUs could not talk to each other (NCCL)", elsewhere = true,
    hint = "look above for the rank that failed first; NCCL_DEBUG=INFO says more; NCCL_P2P_DISABLE=1 helps on hosts without peer access",
    patterns = { "nccl error", "ncclunhandledcudaerror", "ncclsystemerror", "ncclinternalerror", "ncclremoteerror",
      "watchdog caught collective operation timeout", "nccl communicator was aborted", "nccl watchdog" } },
  { name = "cuda_error", text = "a CUDA kernel failed",
    hint = "often a label or token id out of range: run once with CUDA_LAUNCH_BLOCKING=1 to see where",
    patterns = { "device%-side assert triggered", "cuda error: an illegal memory access", "cublas_status_execution_failed" } },
  { name = "hub_access", text = "Hugging Face refused access",
    hint = "is the token valid, may it read (or write) this repository, and has the gated model been granted to you?",
    patterns = { "gatedrepoerror", "you are trying to access a gated repo", "repositorynotfounderror",
      "401 client error.*huggingface", "403 client error.*huggingface" } },
  { name = "network", text = "the pod could not reach a server", elsewhere = true,
    hint = "start it again; when it stays so, the data center's network is at fault: replace the pod",
    patterns = { "temporary failure in name resolution", "could not resolve host", "max retries exceeded with url",
      "connectionerror:", "read timed out" } },
  { name = "port_taken", text = "a port was taken",
    hint = "does an earlier run still live there? Stop it, or choose another port (--main_process_port)",
    patterns = { "address already in use", "eaddrinuse" } },
  { name = "missing_module", text = "a Python package is missing", hint = "install it in the set-up, or use an image that has it",
    patterns = { "modulenotfounderror", "no module named" } },
}

local BY_KERNEL = { name = "out_of_memory", text = "the kernel ended it: the pod's memory (RAM) was used up",
  hint = "load less at once: fewer DataLoader workers, streaming data, or a pod with more memory" }
local BY_DISK = { name = "disk_full", text = "the pod's disk is full; its log may lack the last lines",
  hint = "keep fewer checkpoints (save_total_limit), or rent the pod with a larger disk or volume" }
local STOPPED = { name = "stopped", text = "it was told to stop", hint = "start it again when it is to go on" }

--- What an exit status alone says: 128 and more are signals.
---@type table<integer, {name: string, text: string, hint: string}>
M.BY_CODE = {
  [126] = { name = "not_executable", text = "a command cannot be executed",
    hint = "is it executable (chmod +x), and built for this machine?" },
  [127] = { name = "not_found", text = "a command was not found", hint = "is it installed, and on PATH?" },
  [130] = { name = "interrupted", text = "it was interrupted (SIGINT)", hint = "somebody pressed Ctrl-C on the pod, or stopped it" },
  [132] = { name = "crashed", text = "it crashed (illegal instruction)",
    hint = "a package was built for a newer processor than this host has: use another build, or another pod" },
  [134] = { name = "crashed", text = "it aborted (SIGABRT)", hint = "the last lines of the log say why" },
  [135] = { name = "shared_memory", text = "it crashed (bus error): often /dev/shm is too small",
    hint = "use fewer DataLoader workers, or torch.multiprocessing.set_sharing_strategy('file_system')" },
  [137] = { name = "killed", text = "it was killed (SIGKILL), most often by the kernel for its use of memory (RAM)",
    hint = "`job:usage()` shows the memory; load less at once, or take a pod with more of it" },
  [139] = { name = "crashed", text = "it crashed (segmentation fault)",
    hint = "a native library failed: do the versions of torch, CUDA and the driver fit together?" },
  [143] = { name = "terminated", text = "it was told to end (SIGTERM)",
    hint = "by the pod's guard, a reclaimed spot pod, or somebody on the pod" },
}

local function copy(cause, line)
  return { name = cause.name, text = cause.text, hint = cause.hint, elsewhere = cause.elsewhere, line = line }
end

-- The last line that one of the patterns fits: what was said last is nearest to the end.
local function last_match(lines, patterns)
  for i = #lines, 1, -1 do
    local lower = lines[i]:lower()
    for _, pattern in ipairs(patterns) do
      if lower:find(pattern) then return lines[i] end
    end
  end
end

--- The cause that the end of a log tells. Pure.
---@param tail string the last lines
---@return podsmith.JobCause?
function M.of_text(tail)
  local lines = {}
  for line in tail:gmatch("[^\r\n]+") do lines[#lines + 1] = line end
  for _, cause in ipairs(M.BY_TEXT) do
    local line = last_match(lines, cause.patterns)
    if line then return copy(cause, line:sub(1, 500)) end
  end
end

-- KB left on the job's disk when it ended, below which nothing of use can be written.
local FULL = 1024

--- Why a job ended. Pure.
---@param facts {code: integer, stopped?: boolean, ooms?: integer, left?: integer, tail?: string} `stopped`: job:stop was
---  called; `ooms`: processes of the pod that the kernel has killed for memory meanwhile; `left`: KB on the disk at its end
---@return podsmith.JobCause? cause nil for exit code 0, and for a failure that the table does not know
function M.of(facts)
  if facts.code == 0 then return nil end
  if facts.stopped then return copy(STOPPED) end
  if (facts.ooms or 0) > 0 then return copy(BY_KERNEL) end
  local told = M.of_text(facts.tail or "")
  if told then return told end
  if facts.left and facts.left >= 0 and facts.left < FULL then return copy(BY_DISK) end
  local by_code = M.BY_CODE[facts.code]
  return by_code and copy(by_code)
end

return M
