--- What Open R1's recipes send to the pod beside the configs, and what they read from its log. Nothing here leaves the program.

local params = require("podsmith.params")
local progress = require("recipes.openr1.progress")
local remedies = require("recipes.openr1.remedies")
local scripts = require("recipes.openr1.scripts")

local declared = { grpo = require("podsmith.recipe").load("grpo")(), sft = require("podsmith.recipe").load("sft")() }

describe("the scripts' settings", function()
  local function settings(mode, ...)
    local args, given = params.parse(declared[mode]:all_params(), { ... }, "run " .. mode)
    local plan = { mode = mode, hub_id = "alice/it's", bytes = 5 * 1024 ^ 3, transformers = { spec = "transformers==4.51.3" } }
    return scripts.settings(plan, args, given, "abcd1234"), scripts.files(plan, args, given, "abcd1234")
  end

  it("hold what is installed, quoted for the shell", function()
    local text = settings("grpo", "--custom-dependencies", "a>=1,<2,b; touch /tmp/x")
    for _, line in ipairs { "RUN='abcd1234'", "MODE='grpo'", "DEBUG=0", "TRANSFORMERS='transformers==4.51.3'",
      "CUSTOM=('a>=1,<2' 'b; touch /tmp/x')", "CUSTOM_NAMES=('a' 'b')", "FLASH_ATTENTION=0",
      "HUB_MODEL_ID='alice/it'\\''s'", "NEED_MERGE_GB='7'", "VLLM_MODE='colocate'", "AUTO_LENGTHS=1", "KEEP_LENGTHS=''" } do
      expect("\n" .. text):contains("\n" .. line .. "\n")
    end
  end)

  it("follow the flags", function()
    local text = settings("grpo", "--attn-implementation", "flash_attention_2", "--disable-vllm", "--debug-remote",
      "--no-auto-lengths", "--max-prompt-length", "100", "--trust-remote-code")
    for _, line in ipairs { "FLASH_ATTENTION=1", "VLLM_MODE=''", "DEBUG=1", "AUTO_LENGTHS=0", "KEEP_LENGTHS='max_prompt_length'",
      "TRUST_REMOTE_CODE=1" } do
      expect("\n" .. text):contains("\n" .. line .. "\n")
    end
    expect((settings("sft", "--max-completion-length", "100"))):contains("\nKEEP_LENGTHS='max_seq_length,max_length'\n")
    expect((settings("sft"))):contains("\nVLLM_MODE=''\n")
  end)

  it("come with the scripts that the run needs", function()
    local _, files = settings("grpo")
    for _, name in ipairs { "common.sh", "setup.sh", "train.sh", "checkpoint.sh", "lengths.py", "settings.sh" } do
      expect(#(files[name] or "") > 0):is_true()
    end
    expect(files["merge.sh"]):is_nil()
    _, files = settings("grpo", "--skip-setup")
    expect(files["setup.sh"]):is_nil()
  end)

  it("list a checkpoint's files with their sizes", function()
    expect(scripts.checkpoint_list { files = { { path = "a/b", size = 3 }, { path = "c d" } } }):equals("3 a/b\n- c d\n")
  end)
end)

describe("remedies", function()
  local function of(cause, config, line) return remedies.of({ name = cause, line = line }, config) end

  it("keep the effective batch: the micro batch falls by its least divisor", function()
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 8, gradient_accumulation_steps = 3 }).set)
      :equals { per_device_train_batch_size = 4, gradient_accumulation_steps = 6 }
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 9, gradient_accumulation_steps = 1 }).set)
      :equals { per_device_train_batch_size = 3, gradient_accumulation_steps = 3 }
  end)

  it("then give vLLM less memory, down to a least; then only the user can help", function()
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 1, use_vllm = true }).set)
      :equals { vllm_gpu_memory_utilization = 0.2 }
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 1, use_vllm = true, vllm_gpu_memory_utilization = 0.2 }).set)
      :equals { vllm_gpu_memory_utilization = 0.15 }
    local remedy = of("cuda_out_of_memory", { per_device_train_batch_size = 1, use_vllm = true, vllm_gpu_memory_utilization = 0.15 })
    expect(remedy.set):is_nil()
    expect(remedy.text):contains("--shard-model")
  end)

  it("give vLLM more where its cache has no room", function()
    expect(of("cuda_out_of_memory", { use_vllm = true }, "ValueError: No available memory for the cache blocks.").set)
      :equals { vllm_gpu_memory_utilization = 0.45 }
  end)

  it("start again after a hang or a broken network, and know nothing of a crash", function()
    expect(of("hang", {}).again):is_true()
    expect(of("nccl", {}).again):is_true()
    expect(of("disk_full", {}).clean):is_true()
    expect(of("crashed", {})):is_nil()
    expect(remedies.of(nil, {})):is_nil()
  end)

  it("change the config's own lines, and add what it lacks at its end", function()
    local text = "a: 1\nper_device_train_batch_size: 8\nper_device_train_batch_size_x: 8\nb: 2\n"
    expect(remedies.apply(text, { per_device_train_batch_size = 4, vllm_gpu_memory_utilization = 0.2 }))
      :equals("a: 1\nper_device_train_batch_size: 4\nper_device_train_batch_size_x: 8\nb: 2\nvllm_gpu_memory_utilization: 0.2\n")
  end)
end)

describe("progress", function()
  local LINE = "{'loss': 0.0012, 'grad_norm': 0.5, 'learning_rate': 1e-06, 'rewards/accuracy_reward/mean': 0.25, "
    .. "'reward': 0.25, 'kl': nan, 'epoch': 0.01}"

  it("reads the trainer's numbers", function()
    local logged = progress.metrics("INFO " .. LINE)
    expect(logged.loss):equals(0.0012)
    expect(logged.learning_rate):equals(1e-06)
    expect(logged["rewards/accuracy_reward/mean"]):equals(0.25)
    expect(logged.kl):is_nil()
    expect(progress.metrics("{'loss': '0.5'}").loss):equals(0.5)
    expect(progress.metrics("loading {model}")):is_nil()
  end)

  it("reports at most once a second, and counts every step", function()
    local watch = progress.new()
    expect(watch:take(LINE, 10.0).step):equals(1)
    expect(watch:take(LINE, 10.5)):is_nil()
    expect(watch:take(" 3%|x| 3/100 [00:01<00:30]\r 4%|x| 4/100 [00:02<00:30]", 10.6)):is_nil()
    local report = watch:take(LINE, 11.0)
    expect(report.stage):equals("train")
    expect(report.step):equals(4)
    expect(report.total):equals(100)
    expect(watch:take("{'train_runtime': 12.5, 'train_loss': 0.1}", 20.0)):is_nil()
    expect(watch.final.train_runtime):equals(12.5)
    expect(watch.last.reward):equals(0.25)
  end)

  it("knows the number of steps that the trainer announces", function()
    local watch = progress.new()
    watch:take("[INFO|trainer.py:2411] >>   Total optimization steps = 1,250", 1.0)
    expect(watch:take(LINE, 2.0).total):equals(1250)
  end)

  it("counts on from where the trainer goes on, and from nothing when it begins anew", function()
    local watch = progress.new(0)
    watch:take("  Continuing training from global step 40", 1.0)
    expect(watch:take(LINE, 2.0).step):equals(41)
    watch:take("***** Running training *****", 3.0)
    expect(watch:take(LINE, 4.0).step):equals(1)
  end)

  it("knows tokens per second from the trainer's count", function()
    local watch = progress.new()
    local function line(tokens) return ("{'loss': 0.1, 'num_tokens': %d.0}"):format(tokens) end
    expect(watch:take(line(1000), 10.0).tokens_per_second):is_nil()
    expect(watch:take(line(3000), 14.0).tokens_per_second):equals(500.0)
    expect(watch:take(line(100), 18.0).tokens_per_second):is_nil()
  end)

  it("knows checkpoints", function()
    expect(progress.checkpoint("[INFO|trainer.py:3993] >> Saving model checkpoint to /workspace/models/x/checkpoint-120")):equals(120)
    expect(progress.checkpoint("loading checkpoint-120")):is_nil()
  end)

  it("takes no bar for training before the first step", function()
    local watch = progress.new()
    watch:take("Loading checkpoint shards: 50%|x| 1/2 [00:01<00:01]", 1.0)
    expect(watch.step):equals(0)
    expect(watch.total):is_nil()
  end)
end)

describe("files of the recipes", function()
  local file = require("podsmith.recipe").file

  it("are embedded", function()
    expect(file("grpo.lua")):contains("recipes.openr1.flow")
    expect(function() file("openr1/pod/nosuch.sh") end):raises("recipes/openr1/pod/nosuch.sh", "not_found")
  end)
end)
