"""The keys of the rendered configs against the dataclasses of the releases that will read them. Nothing is installed or
imported: the wheels are opened and their classes read as text (ast)."""

import ast
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import yaml

PODSMITH = os.environ["PODSMITH"]
WHEELS = sys.argv[1]

# (trl, transformers): what Open R1 pins with what podsmith may put beside it, then each release that dropped a key.
PAIRS = [("0.18.0", "4.51.3"), ("0.18.0", "4.52.3"), ("0.18.0", "4.57.6"), ("0.18.0", "5.0.0"), ("0.20.0", "4.57.6"),
         ("0.26.2", "4.57.6"), ("0.27.0", "4.57.6"), ("0.28.0", "4.57.6"), ("1.16.0", "5.24.0")]
PEFT = ["0.14.0", "0.17.1"]

# Of Open R1's own dataclasses, src/open_r1/configs.py.
OWN = {
    "both": "dataset_mixture benchmarks callbacks chat_template hub_model_revision overwrite_hub_revision push_to_hub_revision "
            "system_prompt wandb_entity wandb_project wandb_run_group",
    "grpo": "num_completions_to_print wandb_log_unique_prompts reward_funcs cosine_min_value_wrong cosine_max_value_wrong "
            "cosine_min_value_correct cosine_max_value_correct cosine_max_len repetition_n_grams repetition_max_penalty "
            "code_language code_eval_test_batch_size code_eval_scoring_mode parallel_code_exec_per_proc dataset_prompt_column "
            "e2b_router_url morph_router_url code_provider ioi_provider max_completion_len soft_punish_cache",
    "sft": "",
}
CLASSES = {"grpo": ["ScriptArguments", "GRPOConfig", "ModelConfig"], "sft": ["ScriptArguments", "SFTConfig", "ModelConfig"]}
# In the dataclasses, and no keys of a config file: secrets, and what the trainer fills in itself.
LEFT_OUT = {"hub_token", "push_to_hub_token", "_n_gpu", "deepspeed", "local_rank"}


def classes_of(package, version):
    wheel = os.path.join(WHEELS, f"{package}-{version}-py3-none-any.whl")
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py") and any(part in name for part in (
                    "trl/trainer/", "trl/scripts/utils", "transformers/training_args.py", "peft/tuners/lora/config", "peft/config.py")):
                for node in ast.parse(archive.read(name)).body:
                    if isinstance(node, ast.ClassDef):
                        found.setdefault(node.name, node)
    return found


def fields_of(known, name):
    """The fields of a dataclass with those of its bases: {name: annotation}."""
    fields = {}
    for base in known[name].bases:
        base = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        if base in known and base != name:
            fields.update(fields_of(known, base))
    for item in known[name].body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            fields[item.target.id] = ast.unparse(item.annotation)
    return fields


def accepted(mode, trl, transformers):
    known = {**classes_of("transformers", transformers), **classes_of("trl", trl)}
    fields = {}
    for name in CLASSES[mode]:
        fields.update(fields_of(known, name))
    assert len(fields) > 100, f"trl {trl}: only {len(fields)} fields were found"
    return fields


def rendered(mode, trl, transformers, flags):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PODSMITH, "run", mode, "--render", folder, "--hub-model-id=a/b", "--chat-template={{ x }}",
                        f"--transformers-version={transformers}", f"--custom-dependencies=trl=={trl}", *flags],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        with open(os.path.join(folder, mode + "_config.yaml"), encoding="utf-8") as file:
            return set(yaml.safe_load(file))


# Flags that write every key there is, and the command line's own.
VARIANTS = {
    "grpo": [["--max-steps=5", "--dataset-fraction=0.5", "--save-steps=2", "--recover=1", "--qlora"], ["--no-vllm"]],
    "sft": [["--max-steps=5", "--dataset-fraction=0.5", "--save-steps=2", "--recover=1"], ["--shard-model"]],
}


def check_rendered(problems):
    checked = 0
    for trl, transformers in PAIRS:
        for mode, variants in VARIANTS.items():
            known = set(accepted(mode, trl, transformers)) | set((OWN["both"] + " " + OWN[mode]).split())
            keys = set().union(*(rendered(mode, trl, transformers, flags) for flags in variants))
            if mode == "grpo":
                keys.add("vllm_mode")  # on the command line
            checked += len(keys)
            for key in sorted(keys - known):
                problems.append(f"{mode}: trl {trl} with transformers {transformers} knows no key {key}")
    return checked


def kind_of(annotation):
    """The kinds that podsmith may give to a field of this type, in its words."""
    if "bool" in annotation and "Union" not in annotation:
        return {"boolean"}
    if "dict" in annotation:
        return {"map", "map or string"}
    if "list" in annotation:
        return {"list", "list or string"}
    if "float" in annotation:
        return {"number"}
    if "int" in annotation and "Union" not in annotation:
        return {"integer"}
    return {"string", "list or string"}


def check_table(problems):
    """The table of known keys is that of the pinned versions, name by name, and its kinds fit."""
    script = os.path.join(os.environ["scratch"], "keys.lua")
    with open(script, "w", encoding="utf-8") as file:
        file.write('local keys = require("recipes.openr1.keys")\n'
                   "print(json.encode { grpo = keys.grpo.kinds, sft = keys.sft.kinds })\n")
    out = subprocess.run([PODSMITH, "run", script], check=True, capture_output=True, text=True).stdout
    table = json.loads(out)
    for mode in ("grpo", "sft"):
        fields = accepted(mode, "0.18.0", "4.52.3")
        own = set((OWN["both"] + " " + OWN[mode]).split())
        wanted = (set(fields) | own) - LEFT_OUT
        for key in sorted(wanted ^ set(table[mode])):
            problems.append(f"{mode}: the table of keys and the dataclasses differ in {key}")
        for key, annotation in fields.items():
            kind = table[mode].get(key)
            # Open R1's scripts take a part of a step here too; floats are documented.
            if kind and key not in ("logging_steps", "save_steps", "eval_steps") and key not in own and kind not in kind_of(annotation):
                problems.append(f"{mode}: {key} is {annotation}, and {kind} in the table")


def check_peft(problems):
    for version in PEFT:
        fields = fields_of(classes_of("peft", version), "LoraConfig")
        for key in ("r", "lora_alpha", "lora_dropout", "target_modules", "task_type"):  # what trl makes of lora_*
            if key not in fields:
                problems.append(f"peft {version}: LoraConfig has no {key}")


def main():
    problems = []
    checked = check_rendered(problems)
    check_table(problems)
    check_peft(problems)
    print("\n".join(problems))
    print(f"{checked} keys against {len(PAIRS)} pairs of releases, {len(problems)} wrong")
    sys.exit(1 if problems else 0)


main()
