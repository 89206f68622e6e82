"""Stand-in for PyYAML: podsmith reads the file."""

import json
import subprocess


def safe_load(stream):
    done = subprocess.run(
        ["/opt/podsmith-sim/podsmith", "run", "/opt/podsmith-sim/lib/yaml_to_json.lua"],
        input=stream.read(), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
