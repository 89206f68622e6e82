"""Flags in, files out, as PyYAML reads them: combinations of flags of the recipes grpo and sft, drawn at random from a fixed
seed, are rendered and compared with what they must give; those that do not go together must be refused with their rule's
message. What they must give is written here again, from the description of the system that podsmith replaces."""

import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import yaml

COMBINATIONS = 420
PODSMITH = os.environ["PODSMITH"]
DRAW = random.Random(20261130)
OPENING = "You are a helpful AI Assistant that provides well-reasoned and detailed responses."
# Texts that YAML could misread.
TEMPLATES = ["{{ bos_token }}", "{% if x %}yes: no{% endif %}", "{{ 'a' }}\n# {{ \"b\" }}: ~\n", "{{ x }} # {{ y }}\\n", "{{ 'é — 中' }}\t"]
REPOS = ["acme/llm", "unsloth/gemma-2b", "a/1.0", "x/null", "acme/Llama-3.1-8B"]


def draw_flags(mode):
    """Values by flag, as a user may give them; a share of them is wrong on purpose."""
    flags = {"hub-model-id": DRAW.choice(REPOS), "chat-template": DRAW.choice(TEMPLATES),
             "transformers-version": DRAW.choice(["4.57.6", "4.51.3", "5.0.0", "5.24.0"])}

    def maybe(chance, name, *values):
        if DRAW.random() < chance:
            flags[name] = DRAW.choice(values)

    maybe(0.5, "repo-id", *REPOS)
    maybe(0.5, "gpu-count", 1, 2, 4, 6, 8)
    maybe(0.04, "gpu-count", 0, 3, 5, 7, 16)
    maybe(0.3, "attn-implementation", "flash_attention_2", "sdpa", "eager")
    maybe(0.3, "trust-remote-code", True)
    maybe(0.4, "dataset-name", "acme/data", "yes/no", "squad")
    maybe(0.3, "dataset-fraction", 0.1, 0.25, 1, 1.0, 0.000001)
    maybe(0.04, "dataset-fraction", 0, 1.5, -1)
    maybe(0.3, "dataset-seed", 0, 7, 42)
    maybe(0.3, "max-steps", -1, 0, 1, 500)
    maybe(0.3, "num-train-epochs", 1, 3, 0.5)
    maybe(0.4, "per-device-train-batch", 1, 2, 3, 8)
    maybe(0.4, "gradient-accumulation-steps", 1, 2, 4, 16)
    maybe(0.3, "max-prompt-length", 1, 256, 4096)
    maybe(0.3, "max-completion-length", 1, 512, 8192)
    maybe(0.4, "deepspeed-stage", 2, 3)
    maybe(0.3, "shard-model", True)
    maybe(0.2, "save-steps", 1, 50)
    maybe(0.2, "recover", 0, 2)
    maybe(0.2, "public", True)
    maybe(0.3, "report-to", "none", "wandb", "tensorboard", "wandb,tensorboard")
    maybe(0.2, "output-dir", "/workspace/o", "/workspace/no: way")
    maybe(0.2, "qlora", True, False)
    if mode == "grpo" or DRAW.random() < 0.05:
        maybe(0.3, "dataset-prompt-column", "question", "on")
        maybe(0.4, "num-generations", 2, 3, 7, 16, 64)
        maybe(0.3, "use-vllm", True, False)
        maybe(0.2, "vllm-mode", "colocate", "server")
        for name, pairs in (("reasoning", [("", ""), ("<r>", "</r>"), ("<think>", "</think>")]),
                            ("answer", [("<answer>", "</answer>"), ("<a>", "</a>")])):
            if DRAW.random() < 0.4:
                flags[name + "-tag"], flags[name + "-end-tag"] = DRAW.choice(pairs)
            if DRAW.random() < 0.04:
                flags[name + "-end-tag"] = DRAW.choice(["", "x"])
    if mode == "sft" or DRAW.random() < 0.05:
        maybe(0.3, "merge-model", True)
    maybe(0.1, "set", ["weight_decay=0.1"], ["seed=7", "lr_scheduler_kwargs.min_lr_rate=2e-1"], ["logging_steps=10"])
    maybe(0.03, "set", ["learning_rat=1"], ["seed=often"], ["bf16=maybe"])
    return flags


DEFAULTS = {
    "repo-id": "unsloth/gemma-2b", "gpu-count": 1, "attn-implementation": "sdpa", "trust-remote-code": False,
    "dataset-name": "open-r1/OpenR1-Math-220k", "dataset-fraction": 1.0, "dataset-seed": 42, "max-steps": -1,
    "num-train-epochs": 1, "per-device-train-batch": 1, "gradient-accumulation-steps": 4, "max-prompt-length": 512,
    "max-completion-length": 2048, "deepspeed-stage": 3, "shard-model": False, "save-steps": None, "recover": 0,
    "public": False, "report-to": "none", "output-dir": None, "dataset-prompt-column": "problem", "num-generations": 16,
    "use-vllm": True, "reasoning-tag": "<think>", "reasoning-end-tag": "</think>", "answer-tag": "", "answer-end-tag": "",
    "merge-model": False, "set": [],
}
ONLY = {"grpo": ["dataset-prompt-column", "reasoning-tag", "reasoning-end-tag", "answer-tag", "answer-end-tag",
                 "num-generations", "use-vllm", "vllm-mode"], "sft": ["merge-model"]}


def value_of(flags, mode):
    values = {**DEFAULTS, "qlora": mode == "sft", **flags}
    values["is_qlora"] = values["qlora"] and not values["shard-model"]
    return values


def generations(values):
    batch = values["per-device-train-batch"] * values["gradient-accumulation-steps"] * values["gpu-count"]
    return max(n for n in range(1, values["num-generations"] + 1) if batch % n == 0)


def refusal(flags, mode):
    """What is said of flags that do not go together, in the order in which it is said."""
    values = value_of(flags, mode)
    wrong = {"learning_rat=1": "knows no key 'learning_rat'", "seed=often": "seed must be a whole number, not 'often'",
             "bf16=maybe": "bf16 must be true or false, not 'maybe'"}
    for text in values["set"]:
        if text in wrong:
            return wrong[text]
        if mode == "sft" and text == "lr_scheduler_kwargs.min_lr_rate=2e-1":
            pass
    if mode == "grpo":
        for name in ("answer", "reasoning"):
            if (values[name + "-tag"] == "") != (values[name + "-end-tag"] == ""):
                return f"--{name}-tag and --{name}-end-tag go together"
    if values["gpu-count"] not in (1, 2, 4, 6, 8):
        return "--gpu-count must be 1, 2, 4, 6 or 8"
    if not 0 < values["dataset-fraction"] <= 1:
        return "--dataset-fraction must be above 0 and at most 1"
    if any(name in flags for name in ONLY["sft" if mode == "grpo" else "grpo"]):
        return "is for SFT, and this is GRPO" if mode == "grpo" else "is for GRPO, and this is SFT"
    if values["merge-model"] and values["shard-model"]:
        return "--merge-model merges an adapter into the model, and --shard-model"
    if values["merge-model"] and not values["qlora"]:
        return "--merge-model merges an adapter into the model, and --no-qlora"
    if flags.get("qlora") and values["shard-model"]:
        return "--qlora cannot be combined with --shard-model"
    if mode == "grpo" and generations(values) < 2:
        return "at least 2"
    return None


def hub_and_batch(values):
    return {
        "gradient_accumulation_steps": values["gradient-accumulation-steps"], "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False}, "hub_model_id": values["hub-model-id"],
        "hub_strategy": "checkpoint" if values["recover"] else "every_save", "hub_private_repo": not values["public"],
    }


QLORA = {"use_peft": True, "load_in_4bit": True, "use_bnb_nested_quant": True, "bnb_4bit_quant_type": "nf4", "lora_r": 16,
         "lora_alpha": 32, "lora_dropout": 0.05, "lora_target_modules": "all-linear"}


def system_prompt(values):
    think, answer = "First think step by step.", "Then provide the final answer directly after thinking."
    if values["reasoning-tag"]:
        think = f"First reason inside {values['reasoning-tag']} and {values['reasoning-end-tag']}."
    if values["answer-tag"]:
        answer = f"Then provide the final answer inside {values['answer-tag']} and {values['answer-end-tag']}."
    return f"{OPENING} {think} {answer}"


def of_grpo(values):
    tags = [values[name] for name in ("reasoning-tag", "reasoning-end-tag", "answer-tag", "answer-end-tag")]
    rewards = ["accuracy", "format", "tag_count"] if tags == ["<think>", "</think>", "<answer>", "</answer>"] else ["accuracy"]
    return {
        "dataset_prompt_column": values["dataset-prompt-column"], "system_prompt": system_prompt(values),
        "use_vllm": values["use-vllm"], "do_eval": False, "learning_rate": 1e-6, "log_completions": True,
        "lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        "max_prompt_length": values["max-prompt-length"], "max_completion_length": values["max-completion-length"],
        "num_generations": generations(values), "reward_funcs": rewards, "reward_weights": [1.0] * len(rewards),
        "temperature": 0.7, "warmup_ratio": 0.1, **(QLORA if values["is_qlora"] else {}),
    }


def of_sft(values):
    return {"learning_rate": 2e-5, "max_length": max(1, values["max-prompt-length"] + values["max-completion-length"]),
            **(QLORA if values["is_qlora"] else {"use_peft": False})}


def training(flags, mode):
    values = value_of(flags, mode)
    tree = {
        "model_name_or_path": values["repo-id"], "model_revision": "main", "torch_dtype": "bfloat16",
        "attn_implementation": values["attn-implementation"], "trust_remote_code": values["trust-remote-code"],
        "dataset_name": values["dataset-name"], "bf16": True, **hub_and_batch(values), "log_level": "info",
        "logging_first_step": True, "logging_steps": 1, "logging_strategy": "steps",
        "num_train_epochs": values["num-train-epochs"],
        "output_dir": values["output-dir"] or "/workspace/models/" + values["hub-model-id"].replace("/", "-"),
        "overwrite_output_dir": True, "per_device_train_batch_size": values["per-device-train-batch"], "push_to_hub": True,
        "report_to": [] if values["report-to"] == "none" else values["report-to"].split(","),
        "save_strategy": "steps" if values["save-steps"] else "epoch", "save_total_limit": 1, "seed": 42,
        "use_liger_kernel": True, "chat_template": values["chat-template"],
        **(of_grpo(values) if mode == "grpo" else of_sft(values)),
    }
    if values["save-steps"]:
        tree["save_steps"] = values["save-steps"]
    if values["max-steps"] > 0:
        tree["max_steps"] = values["max-steps"]
    if values["dataset-fraction"] < 1:
        tree["dataset_mixture"] = {"datasets": [{"id": values["dataset-name"], "config": None, "split": "train",
                                                 "weight": values["dataset-fraction"]}], "seed": values["dataset-seed"]}
    for text in values["set"]:
        path, value = text.split("=")
        name, _, inner = path.partition(".")
        value = float(value) if name in ("weight_decay", "lr_scheduler_kwargs") else int(value)
        if inner:
            tree[name] = {**tree.get(name, {}), inner: value}
        else:
            tree[name] = value
    if values["transformers-version"].startswith("5."):
        del tree["overwrite_output_dir"]
        if "warmup_ratio" in tree:
            tree["warmup_steps"] = tree.pop("warmup_ratio")
    return tree


def accelerate(flags, mode):
    values = value_of(flags, mode)
    stage = 3 if values["shard-model"] else 2 if values["is_qlora"] else values["deepspeed-stage"]
    return {
        "compute_environment": "LOCAL_MACHINE", "debug": False, "deepspeed_config": {
            "deepspeed_multinode_launcher": "standard", "offload_optimizer_device": "none", "offload_param_device": "none",
            "zero3_init_flag": stage == 3, "zero3_save_16bit_model": stage == 3, "zero_stage": stage},
        "distributed_type": "DEEPSPEED", "downcast_bf16": "no", "machine_rank": 0, "main_training_function": "main",
        "mixed_precision": "bf16", "num_machines": 1, "num_processes": values["gpu-count"], "rdzv_backend": "static",
        "same_network": True, "tpu_env": [], "tpu_use_cluster": False, "tpu_use_sudo": False, "use_cpu": False,
    }


def command(flags, mode, folder):
    words = [PODSMITH, "run", mode, "--render", folder]
    for name, value in flags.items():
        if value is True or value is False:
            words.append(f"--{'' if value else 'no-'}{name}")
        else:
            for one in value if isinstance(value, list) else [value]:
                words.append(f"--{name}={one}")
    return words


def same(wanted, got):
    """Equal, and of the same types: 1 is not 1.0 and not True."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(same(value, got[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(same(*pair) for pair in zip(wanted, got))
    return type(wanted) is type(got) and wanted == got


def problem_of(case):
    mode, flags = case
    wanted = refusal(flags, mode)
    with tempfile.TemporaryDirectory() as folder:
        words = command(flags, mode, folder)
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        where = " ".join(map(repr, words[1:]))
        if wanted:
            if done.returncode != 2 or wanted not in done.stderr or "Traceback" in done.stderr:
                return f"{where}\n  should be refused with: {wanted}\n  code {done.returncode}: {done.stderr.strip()}"
            return f"{where}\n  was refused and left {os.listdir(folder)}" if os.listdir(folder) else None
        if done.returncode != 0:
            return f"{where}\n  code {done.returncode}: {done.stderr.strip()}"
        for name, tree in ((mode + "_config.yaml", training(flags, mode)), ("accelerate.yaml", accelerate(flags, mode))):
            with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
                got = yaml.safe_load(file.read())
            if not same(tree, got):
                odd = {key for key in tree.keys() | got.keys() if not same(tree.get(key), got.get(key))}
                return f"{where}\n  {name}: " + "; ".join(
                    f"{key} is {got.get(key, 'not there')!r}, not {tree.get(key, 'there')!r}" for key in sorted(odd))
    return None


def main():
    cases = []
    for _ in range(COMBINATIONS):
        mode = DRAW.choice(["grpo", "sft"])
        cases.append((mode, draw_flags(mode)))
    with ThreadPoolExecutor(2) as pool:
        problems = [problem for problem in pool.map(problem_of, cases) if problem]
    for problem in problems[:20]:
        print(problem)
    refused = sum(1 for mode, flags in cases if refusal(flags, mode))
    print(f"{len(cases) - refused} combinations rendered, {refused} refused, {len(problems)} wrong")
    if len(cases) - refused < 250 or refused < 50:
        sys.exit("the draw has become one-sided: change its chances")
    sys.exit(1 if problems else 0)


main()
