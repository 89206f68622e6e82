"""Stand-in for transformers: a tokenizer that counts words, with the chat template of the simulated Hub's files, and models
that are their config."""

import json
import os
import struct

from sim_hub import model_file


class AutoTokenizer:
    @classmethod
    def from_pretrained(cls, name, revision="main", trust_remote_code=False):
        text = model_file(name, "tokenizer_config.json", revision)
        if text is None:
            raise OSError(f"Can't load tokenizer for '{name}'.")
        return cls(json.loads(text))

    def __init__(self, config):
        self.config = config
        self.chat_template = config.get("chat_template")
        self.model_max_length = config.get("model_max_length", int(1e30))

    def __call__(self, texts, add_special_tokens=True):
        return {"input_ids": [list(range(len(text.split()) + (1 if add_special_tokens else 0))) for text in texts]}

    def apply_chat_template(self, messages, tokenize=True, add_generation_prompt=False):
        if not self.chat_template:
            raise ValueError("Cannot use chat template functions because tokenizer.chat_template is not set")
        if not messages:
            raise ValueError("a chat needs a message")
        parts = [f"<{message['role']}> {message['content']}" for message in messages]
        text = "\n".join(parts + (["<assistant>"] if add_generation_prompt else []))
        return self([text], add_special_tokens=False)["input_ids"][0] if tokenize else text

    def save_pretrained(self, folder):
        with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
            json.dump({**self.config, "chat_template": self.chat_template}, file)


def safetensors(note):
    header = json.dumps({
        "__metadata__": {"format": "pt", "stand_in": note},
        "stand_in.weight": {"dtype": "F32", "shape": [16, 16], "data_offsets": [0, 1024]},
    }).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + bytes(1024)


class Model:
    def __init__(self, name, config):
        self.name, self.config, self.note = name, config, "base"

    def save_pretrained(self, folder, safe_serialization=True):
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(self.config, file)
        with open(os.path.join(folder, "model.safetensors"), "wb") as file:
            file.write(safetensors(self.note))


class AutoModelForCausalLM:
    @classmethod
    def from_pretrained(cls, name, torch_dtype=None, device_map=None, trust_remote_code=False):
        text = model_file(name, "config.json")
        if text is None:
            raise OSError(f"{name} is not a local folder and is not a valid model identifier listed on the Hub")
        config = json.loads(text)
        if "auto_map" in config and not trust_remote_code:
            raise ValueError(f"The repository {name} contains custom code which must be executed: pass trust_remote_code=True.")
        return Model(name, {**config, "torch_dtype": torch_dtype})
