"""Stand-in for datasets: load_dataset looks the data set up on the simulated Hub and makes the same few hundred rows of it
each time. Columns: SIM_DATASET_COLUMNS, else messages for a name with "chat" in it, else those of OpenR1-Math. Rows:
SIM_DATASET_ROWS."""

import random

from sim_hub import get, knob


class DatasetNotFoundError(Exception):
    pass


def words(count, seed):
    return " ".join(f"w{(seed * 7 + i) % 97}" for i in range(count))


def value_of(column, i):
    problem, solution = words(5 + i % 40, i), words(20 + i * 7 % 400, i)
    if column == "messages":
        return [{"role": "user", "content": problem}, {"role": "assistant", "content": solution}]
    if column in ("solution", "completion"):
        return solution
    if column == "text":
        return problem + " " + solution
    if column == "number":
        return i
    return problem


class Dataset:
    def __init__(self, columns):
        self.columns = columns

    @property
    def column_names(self):
        return list(self.columns)

    def __len__(self):
        return len(next(iter(self.columns.values()), []))

    def __getitem__(self, key):
        return {name: values[key] for name, values in self.columns.items()}

    def select_columns(self, names):
        return Dataset({name: self.columns[name] for name in names})

    def select(self, indices):
        chosen = list(indices)
        return Dataset({name: [values[i] for i in chosen] for name, values in self.columns.items()})

    def shuffle(self, seed=None):
        order = list(range(len(self)))
        random.Random(seed).shuffle(order)
        return self.select(order)


def load_dataset(path, name=None, split=None):
    if get("/api/datasets/" + path) is None:
        raise DatasetNotFoundError(f"Dataset '{path}' doesn't exist on the Hub or cannot be accessed.")
    usual = "messages" if "chat" in path else "problem,solution,answer,messages"
    columns = knob("SIM_DATASET_COLUMNS", usual).split(",")
    rows = int(knob("SIM_DATASET_ROWS", "300"))
    return Dataset({column: [value_of(column, i) for i in range(rows)] for column in columns})


def concatenate_datasets(parts):
    return Dataset({name: sum((part.columns[name] for part in parts), []) for name in parts[0].column_names})
