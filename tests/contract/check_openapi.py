#!/usr/bin/env python3
"""Checks recorded calls of the simulator against Runpod's REST v2 document.

    podsmith sim --record calls.jsonl …          one JSON line per request
    RUNPOD_OPENAPI=openapi.json python3 tests/contract/check_openapi.py calls.jsonl [--all-routes]

Every request body that the simulator accepted, and every answer, must keep to the document's schemas; every
body that it refused with 422 must break them. With --all-routes every route of the document (serverless
aside) must occur with a success. Calls with an injected fault are skipped.

Where the live service is known to differ from its document, the simulator follows the service; ALLOWED lists
those places, and an entry that no call needs is reported, so that the table cannot rot.

Needs the Python package jsonschema and the document (Runpod serves it at /v2/openapi.json; RUNPOD_OPENAPI
names the file). Exit codes: 0 all well, 1 findings, 2 usage, 77 cannot run here.
"""
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = Path(os.environ.get("RUNPOD_OPENAPI") or ROOT / "../shared/reference/data/runpod-v2-openapi.json")

# (route, "body" or "answer", pattern of the finding "<json path>: <reason>", why it is allowed)
ALLOWED = [
    ("GET /v2/catalog/gpus*", "answer", r"price\.community: None is not of type 'number'",
     "not sold there: null or 0 are both reported of the live service; clients must accept null"),
    ("POST /v2/pods", "refused", r"",
     "a rule that no schema can state is a 422 too: templateId names a serverless template"),
]

# Prefixes that the simulator does not serve.
OUT_OF_SCOPE = ("/v2/serverless",)
METHODS = ("get", "post", "put", "patch", "delete")


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


class Spec:
    def __init__(self, document):
        self.document = document
        self.routes = []
        for path, item in document["paths"].items():
            if path.startswith(OUT_OF_SCOPE):
                continue
            pattern = re.compile("^" + re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$")
            for method in METHODS:
                if method in item:
                    self.routes.append((method.upper(), path, pattern, item[method]))
        # A literal path before one with a parameter: /v2/registries/delegations is no registry's id.
        self.routes.sort(key=lambda route: route[1].count("{"))

    def find(self, method, path):
        for route in self.routes:
            if route[0] == method and route[2].match(path):
                return route
        return None

    def resolved(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            node = target
        return node

    def schema(self, content):
        """The JSON schema of a body, with the document's components at hand for its references."""
        for kind, value in content.items():
            if "json" in kind and "schema" in value:
                return {**value["schema"], "components": self.document["components"]}
        return None


def findings(validator_class, schema, value):
    """'<json path>: <reason>' for each violation, at its innermost place."""
    out = []
    for error in validator_class(schema, format_checker=validator_class.FORMAT_CHECKER).iter_errors(value):
        while error.context:
            error = max(error.context, key=lambda inner: len(inner.absolute_path))
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        out.append(f"${path}: {error.message}")
    return out


class Check:
    def __init__(self, spec, validator_class):
        self.spec, self.validator_class = spec, validator_class
        self.problems, self.used, self.seen, self.calls = [], set(), set(), 0

    def is_allowed(self, route, side, text):
        for index, (where, what, pattern, _) in enumerate(ALLOWED):
            same = route == where or (where.endswith("*") and route.startswith(where[:-1]))
            if same and side == what and re.search(pattern, text):
                self.used.add(index)
                return True
        return False

    def complain(self, route, side, texts, line):
        for text in texts:
            if not self.is_allowed(route, side, text):
                self.problems.append(f"line {line}: {route}: {side}: {text}")

    def call(self, number, call):
        if call.get("fault"):
            return
        method, path, status = call["method"], call["path"], call["status"]
        found = self.spec.find(method, path)
        if not found:
            if status not in (404, 405):
                self.problems.append(f"line {number}: {method} {path}: not in the document, answered {status}")
            return
        self.calls += 1
        route, operation = f"{method} {found[1]}", found[3]
        if 200 <= status < 300:
            self.seen.add(route)
        self.check_body(number, route, operation, call)
        self.check_answer(number, route, operation, call)

    def check_body(self, number, route, operation, call):
        body = self.spec.resolved(operation.get("requestBody"))
        if not body or call["status"] in (400, 401, 403, 404, 409, 429):
            return  # a rule broken, or refused before the body was read
        schema = self.spec.schema(body["content"])
        texts = findings(self.validator_class, schema, call["body"]) if schema else []
        if call["status"] < 300:
            self.complain(route, "body", texts, number)
        elif call["status"] == 422 and not texts:
            self.complain(route, "refused", ["a body that keeps to the schema was refused with 422"], number)

    def check_answer(self, number, route, operation, call):
        responses = operation["responses"]
        answer = self.spec.resolved(responses.get(str(call["status"])) or responses.get("default"))
        if answer is None:
            self.complain(route, "answer", [f"status {call['status']} is not in the document"], number)
            return
        schema = self.spec.schema(answer.get("content", {}))
        is_stream = "text/event-stream" in answer.get("content", {})
        if schema and not (isinstance(call["answer"], str) and call["status"] == 403):  # Cloudflare's is text
            self.complain(route, "answer", findings(self.validator_class, schema, call["answer"]), number)
        elif not schema and not is_stream and call["answer"] is not None:
            self.complain(route, "answer", ["a body where none is described"], number)


def main(arguments):
    files = [name for name in arguments if not name.startswith("--")]
    if len(files) != 1:
        print(__doc__)
        return 2
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        skip("the Python package jsonschema is missing (pip install jsonschema, in a venv)")
    if not SPEC.is_file():
        skip(f"no REST v2 document at {SPEC}; name it in RUNPOD_OPENAPI")
    check = Check(Spec(json.loads(SPEC.read_text())), Draft202012Validator)
    for number, line in enumerate(Path(files[0]).read_text().splitlines(), 1):
        check.call(number, json.loads(line))
    if "--all-routes" in arguments:
        for method, path, _, _ in check.spec.routes:
            if f"{method} {path}" not in check.seen:
                check.problems.append(f"{method} {path}: no successful call was recorded")
        for index, entry in enumerate(ALLOWED):
            if index not in check.used:
                check.problems.append(f"allowed difference not needed: {entry[0]} {entry[1]} {entry[2]}")
    for problem in check.problems:
        print(problem)
    print(f"{check.calls} calls, {len(check.seen)} routes, {len(check.problems)} findings")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
