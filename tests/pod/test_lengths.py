"""recipes/openr1/pod/lengths.py: what is measured, what is written back, what is remembered."""

import contextlib
import io
import os
import sys
import tempfile
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../recipes/openr1/pod"))
import lengths  # noqa: E402


class Tokenizer:
    """A token a word, one more with special tokens; the template adds a token a message and one for the answer to come."""

    def __init__(self, limit=10**30, refuses=()):
        self.model_max_length, self.refuses, self.chat_template, self.calls = limit, refuses, "template", 0

    def __call__(self, texts, add_special_tokens=True):
        self.calls += 1
        return {"input_ids": [[0] * (len(text.split()) + add_special_tokens) for text in texts]}

    def apply_chat_template(self, chat, tokenize=True, add_generation_prompt=False):
        if any(message["role"] in self.refuses for message in chat):
            raise ValueError("a role that the template does not know")
        return " ".join("<m> " + message["content"] for message in chat) + (" <a>" if add_generation_prompt else "")


class Rows:
    def __init__(self, columns):
        self.columns, self.column_names = columns, list(columns)

    def __len__(self):
        return len(next(iter(self.columns.values()), []))

    def __getitem__(self, key):
        return {name: values[key] for name, values in self.columns.items()}

    def select_columns(self, names):
        return Rows({name: self.columns[name] for name in names})

    def select(self, indices):
        return Rows({name: [values[i] for i in indices] for name, values in self.columns.items()})

    def shuffle(self, seed=None):
        self.seed = seed
        return self


def words(count):
    return " ".join(["w"] * count)


def chat(*parts):
    return [{"role": role, "content": words(count)} for role, count in parts]


def measure(columns, mode="sft", tokenizer=None, **config):
    """The result for a data set of these columns."""
    config = {"model_name_or_path": "m", "dataset_name": "d", **config}
    tokenizer = tokenizer or Tokenizer()
    transformers, datasets = types.ModuleType("transformers"), types.ModuleType("datasets")
    transformers.AutoTokenizer = types.SimpleNamespace(from_pretrained=lambda *_, **__: tokenizer)
    datasets.load_dataset = lambda *_, **__: Rows(columns)
    datasets.concatenate_datasets = lambda parts: parts[0] if len(parts) == 1 else None
    sys.modules.update({"transformers": transformers, "datasets": datasets})
    return lengths.measure(config, mode)


def numbers(result):
    return result["prompt"], result["completion"], result["total"]


class Measuring(unittest.TestCase):
    def test_chats_are_split_at_the_last_answer(self):
        rows = [chat(("user", 3), ("assistant", 10)), chat(("user", 2), ("assistant", 4), ("user", 5), ("assistant", 6))]
        # The second: 3 messages and the coming answer are 4 tokens, 11 words; the sum counts row by row.
        self.assertEqual(numbers(measure({"messages": rows})), (15, 10, 21))

    def test_a_chat_without_an_answer_is_all_prompt(self):
        self.assertEqual(numbers(measure({"messages": [chat(("user", 3)), chat(("user", 1), ("assistant", 0))]})), (5, 0, 5))

    def test_a_template_that_fails_gives_way_to_the_contents(self):
        rows = [chat(("system", 3), ("user", 4), ("assistant", 2))]
        self.assertEqual(numbers(measure({"messages": rows}, tokenizer=Tokenizer(refuses=["system"]))), (8, 2, 10))

    def test_grpo_measures_its_prompt_column_with_the_system_prompt_and_not_the_messages(self):
        columns = {"problem": [words(3), words(7)], "messages": [chat(("user", 99), ("assistant", 99))] * 2}
        result = measure(columns, "grpo", dataset_prompt_column="problem", system_prompt=words(4))
        self.assertEqual(numbers(result), (14, 0, 14))

    def test_grpo_falls_back_to_the_text_where_the_template_knows_no_system(self):
        result = measure({"problem": [words(3)]}, "grpo", Tokenizer(refuses=["system"]), dataset_prompt_column="problem",
                         system_prompt="be kind")
        self.assertEqual(numbers(result), (4, 0, 4))

    def test_sft_measures_prompt_and_completion(self):
        self.assertEqual(numbers(measure({"prompt": [words(3), words(1)], "completion": [words(2), words(9)]})), (4, 9, 11))

    def test_columns_by_preference(self):
        self.assertEqual(numbers(measure({"a": [words(9)], "text": [words(3)]})), (4, 0, 4))
        self.assertEqual(numbers(measure({"n": [1], "b": [words(5)], "c": [words(8)]})), (6, 0, 6))
        with self.assertRaisesRegex(lengths.NothingToMeasure, "it has: n, m"):
            measure({"n": [1], "m": [None]})
        with self.assertRaisesRegex(lengths.NothingToMeasure, "no rows"):
            measure({"text": []})

    def test_a_part_of_the_data_set(self):
        mixture = {"datasets": [{"id": "d", "config": None, "split": "train", "weight": 0.5, "columns": ["text"]}], "seed": 7}
        self.assertEqual(measure({"text": [words(i) for i in range(1, 11)], "x": [0] * 10}, dataset_mixture=mixture)["rows"], 5)

    def test_many_rows_take_few_calls_of_the_tokenizer(self):
        tokenizer = Tokenizer()
        measure({"messages": [chat(("user", 2), ("assistant", 3))] * 5000}, tokenizer=tokenizer)
        self.assertLessEqual(tokenizer.calls, 15)


class WritingBack(unittest.TestCase):
    CONFIG = "a: 1\nmax_prompt_length: 512\nmax_completion_length: 2048\nmax_seq_length: 2560\nmax_steps: 3\n"

    def written(self, result, keep=()):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "c.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.CONFIG)
            with contextlib.redirect_stdout(io.StringIO()) as said:
                lengths.write_back(path, lengths.lengths_of({"limit": 10**30, **result}), set(keep))
            with open(path, encoding="utf-8") as file:
                found = dict(line.split(": ") for line in file.read().splitlines())
        return [int(found[f"max_{name}"]) for name in ("prompt_length", "completion_length", "seq_length", "steps")], said.getvalue()

    def test_measured_lengths_are_set(self):
        self.assertEqual(self.written({"prompt": 100, "completion": 300, "total": 350})[0], [100, 300, 350, 3])

    def test_without_completions_theirs_stays(self):
        values, said = self.written({"prompt": 100, "completion": 0, "total": 100})
        self.assertEqual(values, [100, 2048, 100, 3])
        self.assertIn("max_completion_length stays 2048, skipped", said)

    def test_what_the_user_gave_stays(self):
        values, said = self.written({"prompt": 100, "completion": 300, "total": 350}, ["max_prompt_length", "max_seq_length"])
        self.assertEqual(values, [512, 300, 2560, 3])
        self.assertIn("max_prompt_length stays 512, as asked (measured: 100)", said)

    def test_what_the_model_cannot_read_is_cut(self):
        self.assertEqual(self.written({"prompt": 100, "completion": 300, "total": 350, "limit": 200})[0], [100, 100, 200, 3])
        self.assertEqual(self.written({"prompt": 400, "completion": 300, "total": 700, "limit": 200})[0], [200, 2048, 200, 3])

    def test_at_least_one(self):
        self.assertEqual(self.written({"prompt": 0, "completion": 0, "total": 0})[0], [1, 2048, 1, 3])


class Remembering(unittest.TestCase):
    def test_a_result_is_measured_once_for_the_same_question(self):
        asked = []
        original, lengths.measure = lengths.measure, lambda config, mode: asked.append(mode) or {"rows": 1}
        self.addCleanup(setattr, lengths, "measure", original)
        config = {"model_name_or_path": "m", "dataset_name": "d", "max_steps": 3}
        with tempfile.TemporaryDirectory() as folder:
            self.assertFalse(lengths.measured(config, "sft", folder)[1])
            self.assertTrue(lengths.measured({**config, "max_steps": 4}, "sft", folder)[1])
            self.assertFalse(lengths.measured({**config, "chat_template": "x"}, "sft", folder)[1])
            self.assertFalse(lengths.measured(config, "grpo", folder)[1])
        self.assertEqual(asked, ["sft", "sft", "grpo"])


if __name__ == "__main__":
    unittest.main()
