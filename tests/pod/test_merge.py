"""recipes/openr1/pod/merge.py: where the adapter is, what is uploaded, and that a failed upload is tried again."""

import contextlib
import io
import json
import os
import sys
import tempfile
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../recipes/openr1/pod"))
import merge  # noqa: E402


def touch(*parts):
    path = os.path.join(*parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("{}")


class Saved:
    """A model or tokenizer that writes one file."""

    def __init__(self, name):
        self.name = name

    def save_pretrained(self, folder, **_):
        touch(folder, self.name)

    def merge_and_unload(self):
        return Saved("model.safetensors")


class Merging(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder, self.calls = scratch.name, []

        def record(name, value):
            return lambda *args, **options: self.calls.append((name, args, options)) or value

        torch, peft, transformers, hub = (types.ModuleType(name) for name in ("torch", "peft", "transformers", "huggingface_hub"))
        torch.bfloat16 = "bf16"
        transformers.AutoModelForCausalLM = types.SimpleNamespace(from_pretrained=record("model", Saved("x")))
        transformers.AutoTokenizer = types.SimpleNamespace(from_pretrained=record("tokenizer", Saved("tokenizer.json")))
        peft.PeftModel = types.SimpleNamespace(from_pretrained=record("adapter", Saved("x")))
        self.failures = 0

        def upload_folder(**options):
            if self.failures:
                self.failures -= 1
                raise OSError("504 Gateway Time-out")
            self.calls.append(("upload", (), options))
            return types.SimpleNamespace(oid="c0ffee")

        hub.HfApi = lambda: types.SimpleNamespace(create_repo=record("create", None), upload_folder=upload_folder)
        sys.modules.update({"torch": torch, "peft": peft, "transformers": transformers, "huggingface_hub": hub})
        merge.time = types.SimpleNamespace(sleep=lambda seconds: self.calls.append(("sleep", (seconds,), {})))

    def run_merge(self, *more):
        trained, card = os.path.join(self.folder, "trained"), os.path.join(self.folder, "card.md")
        touch(card)
        sys.argv = ["merge.py", "--base", "acme/base", "--trained", trained, "--merged", os.path.join(self.folder, "merged"),
                    "--card", card, "--repo", "me/result", *more]
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
            merge.main()
        return json.loads(said.getvalue().splitlines()[-1].split(": ", 1)[1])

    def call(self, name):
        return [(args, options) for called, args, options in self.calls if called == name]

    def test_the_adapter_is_in_the_output_folder(self):
        touch(self.folder, "trained", "adapter_config.json")
        touch(self.folder, "trained", "checkpoint-9", "adapter_config.json")
        sent = self.run_merge()
        self.assertEqual(self.call("adapter")[0][0][1], os.path.join(self.folder, "trained"))
        self.assertEqual(sent, {"commit": "c0ffee", "files": {"README.md": 2, "model.safetensors": 2, "tokenizer.json": 2}})
        self.assertEqual(self.call("upload")[0][1]["delete_patterns"], ["adapter_*"])

    def test_else_in_the_newest_checkpoint_by_number(self):
        for step in (9, 10, 11):
            touch(self.folder, "trained", f"checkpoint-{step}", "adapter_config.json" if step < 11 else "other.json")
        self.run_merge()
        self.assertTrue(self.call("adapter")[0][0][1].endswith("checkpoint-10"))

    def test_without_one_it_says_where_it_has_looked(self):
        touch(self.folder, "trained", "config.json")
        with self.assertRaisesRegex(SystemExit, "there is no adapter in .*trained nor in its checkpoints"):
            self.run_merge()

    def test_the_tokenizer_is_the_trainers_where_it_has_saved_one(self):
        touch(self.folder, "trained", "adapter_config.json")
        self.run_merge()
        touch(self.folder, "trained", "tokenizer_config.json")
        self.run_merge()
        names = [args[0] for args, _ in self.call("tokenizer")]
        self.assertEqual(names, ["acme/base", os.path.join(self.folder, "trained")])

    def test_trust_and_privacy_are_passed_on(self):
        touch(self.folder, "trained", "adapter_config.json")
        self.run_merge()
        self.run_merge("--trust-remote-code", "--private")
        self.assertEqual([options["trust_remote_code"] for _, options in self.call("model")], [False, True])
        self.assertEqual([options["private"] for _, options in self.call("create")], [False, True])

    def test_an_upload_is_tried_four_times_with_a_pause_that_doubles(self):
        touch(self.folder, "trained", "adapter_config.json")
        self.failures = 3
        self.run_merge()
        self.assertEqual([args[0] for args, _ in self.call("sleep")], [5, 10, 20])
        self.failures = 4
        with self.assertRaises(OSError):
            self.run_merge()


if __name__ == "__main__":
    unittest.main()
