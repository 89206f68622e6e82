#!/usr/bin/env python3
"""Merges a trained LoRA adapter into its base model and uploads the whole model with its card.

    merge.py --base ID --trained FOLDER --merged FOLDER --card README.md --repo ID [--private] [--trust-remote-code]

The adapter is where the trainer saved it: in its output folder, else in its newest checkpoint. What the repository had of the
adapter alone is removed by the same commit: transformers would load it in place of the merged weights.
The last line names the commit and the files with their sizes, so that podsmith can read the repository back.
"""

import argparse
import json
import os
import re
import shutil
import sys
import time


def adapter_folder(trained):
    folders = [trained]
    if os.path.isdir(trained):
        steps = [int(found.group(1)) for found in map(re.compile(r"checkpoint-(\d+)$").match, os.listdir(trained)) if found]
        folders += [os.path.join(trained, f"checkpoint-{step}") for step in sorted(steps, reverse=True)]
    for folder in folders:
        if os.path.exists(os.path.join(folder, "adapter_config.json")):
            return folder
    sys.exit(f"error: there is no adapter in {trained} nor in its checkpoints (adapter_config.json is missing)")


def merge(base, adapter, merged, trust_remote_code):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    print(f"merge: loading {base}", flush=True)
    model = AutoModelForCausalLM.from_pretrained(
        base, torch_dtype=torch.bfloat16, device_map="auto", trust_remote_code=trust_remote_code
    )
    print(f"merge: adding the adapter of {adapter}", flush=True)
    model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    shutil.rmtree(merged, ignore_errors=True)
    os.makedirs(merged)
    model.save_pretrained(merged, safe_serialization=True)
    # The trainer's tokenizer carries its chat template; an adapter may have been saved without one.
    has_tokenizer = os.path.exists(os.path.join(adapter, "tokenizer_config.json"))
    tokenizer = AutoTokenizer.from_pretrained(adapter if has_tokenizer else base, trust_remote_code=trust_remote_code)
    tokenizer.save_pretrained(merged)


def upload(repo, folder, private):
    from huggingface_hub import HfApi

    api = HfApi()
    pause = 5
    for attempt in range(1, 5):
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            return api.upload_folder(
                repo_id=repo,
                folder_path=folder,
                commit_message="Merged model",
                delete_patterns=["adapter_*"],
            )
        except Exception as problem:
            if attempt == 4:
                raise
            print(f"merge: try {attempt} of 4 to upload failed: {problem}", file=sys.stderr, flush=True)
            time.sleep(pause)
            pause *= 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("base", "trained", "merged", "card", "repo"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--trust-remote-code", action="store_true")
    options = parser.parse_args()
    adapter = adapter_folder(options.trained)
    merge(options.base, adapter, options.merged, options.trust_remote_code)
    shutil.copyfile(options.card, os.path.join(options.merged, "README.md"))
    print(f"merge: uploading to {options.repo}", flush=True)
    commit = upload(options.repo, options.merged, options.private)
    files = {name: os.path.getsize(os.path.join(options.merged, name)) for name in sorted(os.listdir(options.merged))
             if os.path.isfile(os.path.join(options.merged, name))}
    print("merged: " + json.dumps({"commit": commit.oid, "files": files}), flush=True)


if __name__ == "__main__":
    main()
