-- Stand-in: how the simulated trainer fails when it is told to.
--   SIM_TRAIN_FAIL=KIND[@STEP][xTIMES]  oom, kvcache, crash, hang, disk or kill, at that step (3); at most so many times a pod
--   SIM_TRAIN_FITS=N                    a per-device batch above N is out of memory at the first step
--   SIM_VLLM_FITS=PART                  so is vLLM with more of the GPU's memory than that

local env = require("trainer_env")

local M = {}

local BOOK = "/var/lib/podsmith-sim/train-failures"
local HANGING = "/var/lib/podsmith-sim/hanging"
-- TRL's default of vllm_gpu_memory_utilization.
local USUAL_PART = 0.3

local TEXTS = {
  oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 9.27 GiB. GPU 0 has a total capacity of 44.40 GiB of which "
    .. "2.31 GiB is free. Process 4711 has 42.08 GiB memory in use. If reserved but unallocated memory is large try setting "
    .. "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.",
  kvcache = "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the "
    .. "engine.",
  crash = "RuntimeError: NCCL Error 1: unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
  disk = "safetensors_rust.SafetensorError: Error while serializing: IoError(Os { code: 28, kind: StorageFull, message: \"No space "
    .. "left on device\" })",
}

-- Whether this kind is asked for at this step, and has not happened often enough.
local function is_due(kind, step)
  local wanted, at, times = (env.knob("SIM_TRAIN_FAIL") or ""):match("^(%a+)@?(%d*)x?(%d*)$")
  if wanted ~= kind or step < (tonumber(at) or 3) then return false end
  if times == "" then return true end
  local happened = fs.exists(BOOK) and tonumber(fs.read(BOOK)) or 0
  if happened >= tonumber(times) then return false end
  fs.write(BOOK, ("%d"):format(happened + 1))
  return true
end

--- Before the first step.
function M.at_start() os.remove(HANGING) end

--- After a step.
function M.at_step(run)
  local fits = tonumber(env.knob("SIM_TRAIN_FITS"))
  if fits and (run.config.per_device_train_batch_size or 8) > fits then env.die(TEXTS.oom) end
  local part = tonumber(env.knob("SIM_VLLM_FITS"))
  if part and run.config.use_vllm and (run.config.vllm_gpu_memory_utilization or USUAL_PART) > part then env.die(TEXTS.oom) end
  for _, kind in ipairs { "oom", "kvcache", "crash" } do
    if is_due(kind, run.step) then env.die(TEXTS[kind]) end
  end
  if is_due("kill", run.step) then os.execute("kill -KILL $PPID") end -- what the kernel does when memory is short
  if is_due("hang", run.step) then
    fs.write(HANGING, "") -- nvidia-smi then shows idle GPUs
    while true do task.sleep(60) end
  end
end

--- While a checkpoint is written: it is left half done.
function M.at_save(run, folder)
  if not is_due("disk", run.step) then return end
  fs.mkdir(folder)
  fs.write(folder .. "/model.safetensors", "half")
  env.die(TEXTS.disk)
end

return M
