#!/usr/bin/env python3
"""Measures the data set's longest prompt and completion in tokens and writes them into the training config.

    lengths.py --mode grpo --keep max_prompt_length --cache DIR CONFIG.yaml

The data set is read as Open R1 reads it, and measured as the trainer will see it. Keys in --keep are the user's own: they
stay. A result is kept in the cache by model, data set, template and prompt, with the Hub's revisions. Exit code 3: there is
no text to measure.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import time

BATCH = 1000
NO_LIMIT = 1_000_000  # tokenizers without a limit name a number far above this


class NothingToMeasure(Exception):
    pass


# ---- the data set ----------------------------------------------------------------------------------------------------


def load_mixture(mixture):
    """Each part's split and columns, shuffled and cut by its weight, all joined and shuffled again, as Open R1 does it."""
    from datasets import concatenate_datasets, load_dataset

    seed = mixture.get("seed", 0)
    parts = []
    for item in mixture["datasets"]:
        part = load_dataset(item["id"], item.get("config"), split=item.get("split") or "train")
        if item.get("columns"):
            part = part.select_columns(item["columns"])
        if item.get("weight") is not None:
            part = part.shuffle(seed=seed).select(range(int(len(part) * item["weight"])))
        parts.append(part)
    if not parts:
        raise NothingToMeasure("the mixture names no data set")
    return concatenate_datasets(parts).shuffle(seed=seed)


def load_rows(config):
    from datasets import load_dataset

    if config.get("dataset_mixture"):
        return load_mixture(config["dataset_mixture"])
    split = config.get("dataset_train_split") or "train"
    return load_dataset(config["dataset_name"], config.get("dataset_config"), split=split)


def batches(rows):
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]  # a dict of columns


# ---- counting tokens -------------------------------------------------------------------------------------------------


class Counter:
    """Token counts of many texts at a time: the tokenizer works on a whole batch in parallel."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def texts(self, texts, special=False):
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(texts, add_special_tokens=special)["input_ids"]]

    def chats(self, chats, fallbacks):
        """Chats by the template, with its generation prompt; where that fails, the fallback text."""
        rendered, special = [], []
        for chat, fallback in zip(chats, fallbacks):
            try:
                rendered.append(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
                special.append(False)
            except Exception:  # a template may raise anything: a role it does not know, two users in a row
                rendered.append(fallback)
                special.append(True)
        counts = [0] * len(rendered)
        for flag in (False, True):
            places = [i for i, value in enumerate(special) if value is flag]
            for i, count in zip(places, self.texts([rendered[i] for i in places], special=flag)):
                counts[i] = count
        return counts


class Longest:
    def __init__(self):
        self.prompt = self.completion = self.total = 0
        self.totals = []

    def add(self, prompts, completions):
        for prompt, completion in zip(prompts, completions):
            self.prompt = max(self.prompt, prompt)
            self.completion = max(self.completion, completion)
            self.total = max(self.total, prompt + completion)
            self.totals.append(prompt + completion)

    def percentile(self, part):
        ordered = sorted(self.totals)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0


def content_of(message):
    content = message.get("content")
    return content if isinstance(content, str) else ""


def split_chat(messages):
    """The messages before the last answer, and the answer; without one all of them are prompt."""
    for i in range(len(messages) - 1, -1, -1):
        if messages[i].get("role") == "assistant" and content_of(messages[i]):
            return messages[:i], content_of(messages[i])
    return messages, ""


def joined(messages):
    return "\n".join(content_of(message) for message in messages)


def measure_chats(rows, counter, longest):
    for batch in batches(rows.select_columns(["messages"])):
        pairs = [split_chat(messages or []) for messages in batch["messages"]]
        prompts = counter.chats([pair[0] for pair in pairs], [joined(pair[0]) for pair in pairs])
        longest.add(prompts, counter.texts([pair[1] for pair in pairs]))


def measure_prompts(rows, column, counter, longest, system_prompt):
    """GRPO: the prompt column after the system prompt. The answers are the model's own."""
    for batch in batches(rows.select_columns([column])):
        texts = [str(text or "") for text in batch[column]]
        if system_prompt:
            chats = [[{"role": "system", "content": system_prompt}, {"role": "user", "content": text}] for text in texts]
            counts = counter.chats(chats, texts)
        else:
            counts = counter.texts(texts, special=True)
        longest.add(counts, [0] * len(counts))


def measure_pairs(rows, counter, longest):
    for batch in batches(rows.select_columns(["prompt", "completion"])):
        prompts = counter.texts([str(text or "") for text in batch["prompt"]], special=True)
        longest.add(prompts, counter.texts([str(text or "") for text in batch["completion"]]))


def text_column(rows, wanted):
    names = rows.column_names
    for name in (wanted, "text"):
        if name and name in names:
            return name
    first = rows[0] if len(rows) else {}
    for name in names:
        if isinstance(first.get(name), str):
            return name
    raise NothingToMeasure("no column of the data set holds text; it has: " + ", ".join(names))


def measure(config, mode):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        config["model_name_or_path"],
        revision=config.get("model_revision") or "main",
        trust_remote_code=bool(config.get("trust_remote_code")),
    )
    if config.get("chat_template"):
        tokenizer.chat_template = config["chat_template"]
    rows = load_rows(config)
    if len(rows) == 0:
        raise NothingToMeasure("the data set has no rows")
    counter, longest = Counter(tokenizer), Longest()
    prompt_column = config.get("dataset_prompt_column")
    names = rows.column_names
    # Open R1's GRPO makes its prompts of the prompt column and drops a column of messages; SFT trains on the messages.
    if "messages" in names and not (mode == "grpo" and prompt_column in names):
        measure_chats(rows, counter, longest)
    elif mode == "sft" and "prompt" in names and "completion" in names and isinstance(rows[0]["prompt"], str):
        measure_pairs(rows, counter, longest)
    else:
        column = text_column(rows, prompt_column)
        measure_prompts(rows, column, counter, longest, config.get("system_prompt") if column == prompt_column else None)
    return {
        "rows": len(rows),
        "prompt": longest.prompt,
        "completion": longest.completion,
        "total": longest.total,
        "total_99": longest.percentile(0.99),
        "limit": int(tokenizer.model_max_length),
    }


# ---- the cache -------------------------------------------------------------------------------------------------------


def revision_of(kind, name, revision=None):
    """The Hub's commit, or the name where it cannot be asked (a local folder)."""
    try:
        from huggingface_hub import HfApi

        return HfApi().repo_info(name, repo_type=kind, revision=revision).sha
    except Exception:
        return name


def cache_key(config, mode):
    mixture = config.get("dataset_mixture")
    names = [item["id"] for item in mixture["datasets"]] if mixture else [config["dataset_name"]]
    parts = {name: config.get(name) for name in (
        "model_name_or_path", "dataset_name", "dataset_config", "dataset_train_split", "dataset_mixture",
        "dataset_prompt_column", "system_prompt", "chat_template")}
    parts["mode"] = mode
    parts["model"] = revision_of("model", config["model_name_or_path"], config.get("model_revision") or "main")
    parts["data"] = [revision_of("dataset", name) for name in names]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def measured(config, mode, folder):
    path = os.path.join(folder, cache_key(config, mode) + ".json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file), True
    begin = time.monotonic()
    result = measure(config, mode)
    result["seconds"] = round(time.monotonic() - begin, 1)
    os.makedirs(folder, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(path + ".new", path)
    return result, False


# ---- the config ------------------------------------------------------------------------------------------------------


def lengths_of(result):
    """What the config gets: capped to what the model can read, at least 1; None for a completion that was not measured."""
    prompt, completion, total = result["prompt"], result["completion"], result["total"]
    if result["limit"] < NO_LIMIT:
        total, prompt = min(total, result["limit"]), min(prompt, result["limit"])
        if prompt + completion > result["limit"]:
            completion = max(0, result["limit"] - prompt)
    return {
        "max_seq_length": max(1, total),
        "max_length": max(1, total),
        "max_prompt_length": max(1, prompt),
        "max_completion_length": completion if completion > 0 else None,
    }


def write_back(path, lengths, keep):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for name, value in lengths.items():
        pattern = re.compile(rf"^{name}:[ \t]*(\d+)[ \t]*$", re.MULTILINE)
        found = pattern.search(text)
        if not found:
            continue
        if name in keep:
            print(f"lengths: {name} stays {found.group(1)}, as asked (measured: {value or 'nothing'})")
        elif value is None:
            print(f"lengths: {name} stays {found.group(1)}, skipped: the data set has no completions")
        else:
            print(f"lengths: {name} {found.group(1)} -> {value}")
            text = pattern.sub(f"{name}: {value}", text)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("--mode", choices=("grpo", "sft"), required=True)
    parser.add_argument("--keep", default="", help="keys that stay, with commas between")
    parser.add_argument("--cache", required=True, help="folder of earlier results")
    options = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    import yaml

    with open(options.config, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    try:
        result, is_known = measured(config, options.mode, options.cache)
    except NothingToMeasure as problem:
        print(f"lengths: {problem}", file=sys.stderr)
        return 3
    print(
        f"lengths: {result['rows']} rows {'measured before' if is_known else 'measured in %s s' % result['seconds']}: "
        f"prompt {result['prompt']}, completion {result['completion']}, both {result['total']} tokens "
        f"(99 % of the rows: at most {result['total_99']})"
    )
    write_back(options.config, lengths_of(result), set(filter(None, options.keep.split(","))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
