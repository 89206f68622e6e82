"""Stand-in: what the packages here share: knobs of the pod, and files of the simulated Hub over its real HTTP calls."""

import json
import os
import urllib.error
import urllib.request


def knob(name, default=None):
    if os.environ.get(name):
        return os.environ[name]
    try:
        with open("/etc/podsmith-sim.env", encoding="utf-8") as file:
            for line in file:
                if line.startswith(name + "="):
                    return line.rstrip("\n").split("=", 1)[1]
    except OSError:
        pass
    return default


def get(path):
    """The bytes at a path of the Hub; None when there is no such thing or the token may not read it."""
    endpoint = knob("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    request = urllib.request.Request(endpoint + path, headers={"User-Agent": "unknown/None; hf_hub/0.34.4; python/3.11.13"})
    if os.environ.get("HF_TOKEN"):
        request.add_header("Authorization", "Bearer " + os.environ["HF_TOKEN"])
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        if refused.code in (401, 403, 404):
            return None
        raise


def get_json(path):
    text = get(path)
    return json.loads(text) if text is not None else None


def model_file(name, path, revision="main"):
    """A file of a model: of a local folder, or of a repository."""
    if os.path.isdir(name):
        try:
            with open(os.path.join(name, path), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
    return get(f"/{name}/resolve/{revision}/{path}")
