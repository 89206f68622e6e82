-- The model card: S1.35's text from the facts, metadata that the Hub accepts, the base model's card below.
local model_card = require("podsmith.model_card")
local yaml = require("podsmith.yaml")

local BASE = [[
---
license: gemma
language: en
library_name: transformers
pipeline_tag: text-generation
base_model: google/gemma-2b-pt
tags: [unsloth, gemma]
datasets:
- acme/pretraining
model-index:
- name: gemma
  results: []
extra_gated_prompt: you must agree
---
# Gemma

It's a model; "quoted" and `ticked`.
]]

local function facts(more)
  local all = {
    id = "alice/gemma-2b-sft-thinnka", base_model = "unsloth/gemma-2b", base_revision = ("9"):rep(40), base_card = BASE,
    mode = "sft", qlora = true, zero_stage = 2, datasets = { "open-r1/OpenR1-Math-220k" }, dataset_fraction = 0.125,
    max_steps = -1, per_device_batch = 1, gradient_accumulation = 4, learning_rate = 2e-5, attention = "sdpa",
    trust_remote_code = false, custom_dependencies = { "pkg>=1,<2", "it's" },
  }
  for name, value in pairs(more or {}) do
    if value == json.null then all[name] = nil else all[name] = value end
  end
  return all
end

local function made(more)
  local card, warnings = model_card.render(facts(more))
  local front, body = model_card.split(card)
  return yaml.decode(front, "README.md"), body, warnings, card
end

describe("model_card", function()
  it("has the bullets of a supervised run in order", function()
    local _, body = made()
    local at = body:find("## Training Arguments", 1, true)
    local wanted = {
      "- **Base Model**: [unsloth/gemma-2b](https://huggingface.co/unsloth/gemma-2b) at `" .. ("9"):rep(40) .. "`\n",
      "- **Model Name**: alice/gemma-2b-sft-thinnka\n", "- **Training Mode**: SFT\n", "- **QLoRA**: Yes\n",
      "- **ZeRO Stage**: 2\n",
      "- **Dataset**: [open-r1/OpenR1-Math-220k](https://huggingface.co/datasets/open-r1/OpenR1-Math-220k)\n",
      "- **Dataset Fraction**: 12.5%\n", "- **Max Steps**: Default (full epochs)\n", "- **Per Device Batch Size**: 1\n",
      "- **Gradient Accumulation Steps**: 4\n", "- **Learning Rate**: 2.0e-05\n", "- **Attention Implementation**: sdpa\n",
      "- **Trust Remote Code**: No\n", "- **Custom Dependencies**: `pkg>=1,<2`, `it's`\n",
    }
    for _, line in ipairs(wanted) do
      local found = body:find(line, at, true)
      if not found then expect(body:sub(at)):contains(line) end
      at = found
    end
    expect(body):matches("^\n?# alice/gemma%-2b%-sft%-thinnka\n\nThis model was made from %[unsloth/gemma%-2b%]%(.-%), trained for ")
  end)

  it("has those of a GRPO run, and only what is known", function()
    local _, body = made { mode = "grpo", num_generations = 4, use_vllm = true, max_steps = 200, dataset_fraction = 1,
      custom_dependencies = {}, attention = json.null, sharded = true }
    expect(body):contains("- **Training Mode**: GRPO\n- **Num Generations**: 4\n- **Use vLLM**: Yes\n- **Dataset**")
    expect(body):contains("- **Max Steps**: 200\n")
    for _, name in ipairs { "QLoRA", "ZeRO", "Fraction", "Custom", "Attention" } do expect(body:find(name, 1, true)):is_nil() end
    expect(select(2, made { qlora = json.null, sharded = true })):contains("- **QLoRA**: No (sharded)\n")
  end)

  it("shows more of the run where it is told", function()
    local _, body = made { run = { { "GPU", "2 x NVIDIA L40S" }, { "Cost", "$1.72" } }, about = "chess", closing = "Play well." }
    expect(body):contains("## Run\n\n- **GPU**: 2 x NVIDIA L40S\n- **Cost**: $1.72\n\n---\n\nPlay well.\n")
    expect(body):contains("trained for chess.")
  end)

  it("carries over what describes the new model too, and not what is the base model's own", function()
    local meta = made()
    expect(meta).equals {
      license = "gemma", library_name = "transformers", pipeline_tag = "text-generation", language = json.array { "en" },
      base_model = "unsloth/gemma-2b", base_model_relation = "finetune",
      datasets = json.array { "open-r1/OpenR1-Math-220k", "acme/pretraining" },
      tags = json.array { "podsmith", "sft", "unsloth", "gemma" },
    }
  end)

  it("appends the base model's card without its front matter", function()
    local _, body, warnings = made()
    expect(warnings).equals {}
    expect(body):matches("\n%-%-%-\n\n%*The card of .- follows%.%*\n\n# Gemma\n\nIt's a model; \"quoted\" and `ticked`%.\n$")
    expect(body:find("license: gemma", 1, true)):is_nil()
    for _, none in ipairs { json.null, "", "---\nlicense: mit\n---\n", "---\n---\n" } do
      local _, without = made { base_card = none }
      expect(without:find("follows", 1, true)):is_nil()
      expect(without):contains("check its answers before you rely on them.\n")
    end
  end)

  it("takes a base card of any shape", function()
    local cases = {
      { "\239\187\191---\r\nlicense: MIT\r\n---\r\nText\r\n", "mit", "Text\n$" },
      { "# No front matter\n---\nafter a rule\n", nil, "# No front matter\n%-%-%-\nafter a rule\n$" },
      { "---\nlicense: mit\n\ntags: []\n---", "mit", "rely on them%.\n$" },
    }
    for _, case in ipairs(cases) do
      local meta, body, warnings = made { base_card = case[1] }
      expect(warnings).equals {}
      expect(meta.license).equals(case[2])
      expect(body):matches(case[3])
    end
  end)

  it("leaves out what it cannot read, and says so: the training is paid for", function()
    local meta, body, warnings = made { base_card = "---\nlicense: [mit\n---\nText\n" }
    expect(meta.license).is_nil()
    expect(#warnings).equals(1)
    expect(warnings[1]):contains("README.md of unsloth/gemma-2b:")
    expect(body):matches("Text\n$")
    local other, _, said = made { base_card = "---\n- a list\n---\n" }
    expect(said[1]):contains("is no mapping")
    expect(other.base_model).equals("unsloth/gemma-2b")
    local partly, _, left_out = made { base_card = "---\ndatasets: [acme/good, not an id]\ntags: {a: b}\nlanguage: [1]\n---\n" }
    expect(partly.datasets).equals(json.array { "open-r1/OpenR1-Math-220k", "acme/good" })
    expect(left_out).equals { "left out of datasets: 'not an id'" }
  end)

  it("keeps the base model's licence in a form that the Hub takes", function()
    local cases = {
      { "license: other\nlicense_name: llama3.1-community\nlicense_link: LICENSE", "other", "llama3.1-community",
        "https://huggingface.co/unsloth/gemma-2b/blob/main/LICENSE" },
      { "license: other\nlicense_name: x\nlicense_link: https://example.org/x", "other", "x", "https://example.org/x" },
      { "license: other", "other", "see the base model", "https://huggingface.co/unsloth/gemma-2b" },
      { "license: my-own-1.0", "other", "my-own-1.0", "https://huggingface.co/unsloth/gemma-2b" },
      { "license: [mit, apache-2.0]", { "mit", "apache-2.0" } },
      { "license: [mit, odd]", "other", "mit, odd", "https://huggingface.co/unsloth/gemma-2b" },
      { "license: 7", nil },
    }
    for _, case in ipairs(cases) do
      local meta = made { base_card = "---\n" .. case[1] .. "\n---\n" }
      expect(meta.license).equals(case[2])
      expect(meta.license_name).equals(case[3])
      expect(meta.license_link).equals(case[4])
    end
    local given = made { license = "apache-2.0", base_card = "---\nlicense: other\nlicense_name: x\nlicense_link: y\n---\n" }
    expect(given.license).equals("apache-2.0")
    expect(given.license_name).is_nil()
  end)

  it("gives an adapter its library and relation", function()
    local meta = made { relation = "adapter", library = "peft", tags = { "lora" } }
    expect(meta.library_name).equals("peft")
    expect(meta.base_model_relation).equals("adapter")
    expect(meta.tags[3]).equals("lora")
  end)

  it("refuses facts that no card can have", function()
    local function with(more) return function() model_card.render(facts(more)) end end
    expect(with { id = "a b" }):raises("id must be namespace/name on the Hub, not 'a b'", "invalid")
    expect(with { base_model = "/workspace/models/x" }):raises("base_model must be namespace/name", "invalid")
    expect(with { datasets = { "./data.jsonl" } }):raises("'./data.jsonl' is no data set on the Hub", "invalid")
    expect(with { relation = "copy" }):raises("'copy' is no relation to a base model", "invalid")
    local err = expect(with { learning_rat = 1 }):raises("model_card.render has no option 'learning_rat'", "invalid")
    expect(err.hint).equals("did you mean 'learning_rate'?")
  end)

  it("finds what the Hub would refuse", function()
    local cases = {
      { "# Title", "no front matter" },
      { "---\nlicense: [mit\n---\n", "README.md:" },
      { "---\nlicense: odd\n---\n", "license: the Hub knows no 'odd'" },
      { "---\nlicense: other\n---\n", "license: other needs license_name" },
      { "---\nbase_model: /a/b\n---\n", "base_model: '/a/b' is no id on the Hub" },
      { "---\ndatasets: [a b]\n---\n", "datasets: 'a b' is no id on the Hub" },
      { "---\ntags: [1]\n---\n", "tags: a list of texts is needed" },
      { "---\nbase_model_relation: child\n---\n", "there is no 'child'" },
    }
    for _, case in ipairs(cases) do
      local problems = model_card.problems(case[1])
      expect(#problems).equals(1)
      expect(problems[1]):contains(case[2])
    end
    expect(model_card.problems("---\nlicense: mit\nbase_model: [a/b, c/d]\n---\nText")).equals {}
  end)
end)
