"""Stand-in for peft: an adapter is read, must be one of its base, and leaves its mark in the merged weights."""

import hashlib
import json
import os


class PeftModel:
    @classmethod
    def from_pretrained(cls, model, folder):
        with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as file:
            config = json.load(file)
        if config["base_model_name_or_path"] != model.name:
            raise ValueError(f"the adapter is for {config['base_model_name_or_path']}, not for {model.name}")
        with open(os.path.join(folder, "adapter_model.safetensors"), "rb") as file:
            model.note = "merged with adapter " + hashlib.sha256(file.read()).hexdigest()
        return cls(model)

    def __init__(self, model):
        self.model = model

    def merge_and_unload(self):
        return self.model
