"""Stand-in for huggingface_hub: facts by HTTP; uploads by the calls that the simulated trainer makes too (lib/hub_push.lua)."""

import subprocess
from types import SimpleNamespace

from sim_hub import get_json, knob

PUSH = ["/opt/podsmith-sim/podsmith", "run", "/opt/podsmith-sim/lib/hub_upload.lua"]


class HfApi:
    def repo_info(self, repo_id, repo_type="model", revision=None):
        path = f"/api/{repo_type}s/{repo_id}" + (f"/revision/{revision}" if revision else "")
        info = get_json(path)
        if info is None:
            raise OSError(f"404 Client Error: {repo_type} {repo_id}")
        return SimpleNamespace(sha=info["sha"])

    def create_repo(self, repo_id, private=False, exist_ok=False):
        self._push("create", repo_id, "private" if private else "public")

    def upload_folder(self, repo_id, folder_path, commit_message="", delete_patterns=None):
        if knob("SIM_UPLOAD_FAIL") and not getattr(HfApi, "has_failed", False):
            HfApi.has_failed = True
            raise OSError("504 Server Error: Gateway Time-out")
        oid = self._push("upload", repo_id, folder_path, commit_message, *(delete_patterns or []))
        return SimpleNamespace(oid=oid)

    def _push(self, *words):
        done = subprocess.run([*PUSH, *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(done.stderr.strip()[-400:])
        return done.stdout.strip()
