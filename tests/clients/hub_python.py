"""The official Python client against the simulator's Hub: every call that a training job makes. Prints "all calls done"."""
import hashlib
import os
import pathlib
import sys

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

api = HfApi()
friend = HfApi(token=os.environ["SIM_HF_FRIEND_TOKEN"])
reader = HfApi(token=os.environ["SIM_HF_READ_TOKEN"])
work = pathlib.Path("work")


def refused(error, call, *args, status=None, **options):
    try:
        call(*args, **options)
    except error as raised:
        code = getattr(getattr(raised, "response", None), "status_code", None)
        assert status is None or code == status, f"{call.__name__}: {code}, not {status}: {raised}"
        return str(raised)
    raise AssertionError(f"{call.__name__}{args} was not refused with {error.__name__}")


def pattern(size, seed):
    """Bytes that repeat nowhere near, the same in every run."""
    block = b"".join(hashlib.sha256(f"{seed}.{i}".encode()).digest() for i in range(1024))
    return (block * (size // len(block) + 1))[:size]


def same(path, content):
    assert pathlib.Path(path).read_bytes() == content, f"{path} came back with other bytes"


def accounts():
    me = api.whoami()
    assert me["name"] == "sim-user" and me["auth"]["accessToken"]["role"] == "write"
    assert reader.whoami()["auth"]["accessToken"]["role"] == "read"
    refused(HfHubHTTPError, HfApi(token="hf_nobody").whoami, status=401)


def writing():
    files = {
        "small.json": b'{"a": 1}\n',
        "empty.txt": b"",
        "deep/er/large.bin": pattern(200_000, "large"),
        "model.safetensors": pattern(2_000_000, "parts"),  # chunk_size is 600000: four parts
    }
    for kind in ("model", "dataset"):
        repo = "sim-user/py-" + kind
        made = api.create_repo(repo, repo_type=kind, private=True)
        assert made.repo_id == repo
        assert api.create_repo(repo, repo_type=kind, private=True, exist_ok=True).repo_id == repo
        refused(HfHubHTTPError, api.create_repo, repo, repo_type=kind, status=409)
        for path, content in files.items():
            done = api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo, repo_type=kind)
            assert done.oid == api.repo_info(repo, repo_type=kind).sha
        assert set(api.list_repo_files(repo, repo_type=kind)) == {".gitattributes", *files}
        for path, content in files.items():
            same(hf_hub_download(repo, path, repo_type=kind), content)
        infos = {one.path: one for one in api.get_paths_info(repo, [*files, "none"], repo_type=kind)}
        assert set(infos) == set(files)
        assert infos["model.safetensors"].lfs.sha256 == hashlib.sha256(files["model.safetensors"]).hexdigest()
        assert infos["small.json"].lfs is None
        refused(RepositoryNotFoundError, friend.repo_info, repo, repo_type=kind)
        refused(HfHubHTTPError, reader.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id=repo,
                repo_type=kind, status=403)


def folders():
    repo = "sim-user/py-folder"
    folder = work / "folder"
    content = {f"many/{i:03}.txt": f"{i}\n".encode() for i in range(300)}
    content["README.md"] = b"---\nlicense: mit\nbase_model: acme/tiny\n---\n# x\n"
    content["weights/a.safetensors"] = pattern(1_500_000, "a")
    content["skip/me.log"] = b"no"
    for path, text in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    api.create_repo(repo)
    first = api.upload_folder(repo_id=repo, folder_path=folder, ignore_patterns=["*.log"], commit_message="all")
    del content["skip/me.log"]
    assert set(api.list_repo_files(repo)) == {".gitattributes", *content}
    again = api.upload_folder(repo_id=repo, folder_path=folder, ignore_patterns=["*.log"])
    assert again.oid == first.oid, "an unchanged folder made a commit"
    where = pathlib.Path(snapshot_download(repo))
    for path, text in content.items():
        same(where / path, text)
    plain = pathlib.Path(snapshot_download(repo, local_dir=work / "plain", allow_patterns="weights/*"))
    same(plain / "weights/a.safetensors", content["weights/a.safetensors"])
    assert api.model_info(repo).card_data.base_model == "acme/tiny"
    (folder / "README.md").write_text("---\nlicense: nonsense\n---\n")
    refused(ValueError, api.upload_folder, repo_id=repo, folder_path=folder)
    api.delete_folder("many", repo)
    assert not [one for one in api.list_repo_files(repo) if one.startswith("many/")]


def history():
    repo = "sim-user/py-folder"
    head = api.repo_info(repo).sha
    api.create_branch(repo, branch="dev")
    refused(HfHubHTTPError, api.create_branch, repo, branch="dev", status=409)
    api.create_commit(repo, [CommitOperationAdd("b.txt", b"b"), CommitOperationDelete("README.md"),
                             CommitOperationCopy("weights/a.safetensors", "copy.safetensors")],
                      commit_message="three", revision="dev", parent_commit=head)
    refused(HfHubHTTPError, api.create_commit, repo, [CommitOperationAdd("c.txt", b"c")], commit_message="late",
            revision="dev", parent_commit=head, status=412)
    assert "README.md" not in api.list_repo_files(repo, revision="dev")
    same(hf_hub_download(repo, "copy.safetensors", revision="dev"), pattern(1_500_000, "a"))
    api.create_tag(repo, tag="v1", revision="dev")
    refs = api.list_repo_refs(repo, include_pull_requests=True)
    assert {one.name for one in refs.branches} == {"main", "dev"} and refs.tags[0].name == "v1"
    opened = api.create_commit(repo, [CommitOperationAdd("pr.txt", b"p")], commit_message="ask", create_pr=True)
    assert opened.pr_num == 1 and opened.pr_revision == "refs/pr/1"
    assert "pr.txt" in api.list_repo_files(repo, revision="refs/pr/1")
    assert [one.title for one in api.list_repo_commits(repo, revision="dev")][0] == "three"
    api.super_squash_history(repo, branch="dev")
    assert len(api.list_repo_commits(repo, revision="dev")) == 1
    api.delete_tag(repo, tag="v1")
    api.delete_branch(repo, branch="dev")
    refused(RevisionNotFoundError, api.list_repo_files, repo, revision="dev")


def reading():
    assert len(list(api.list_repo_tree("acme/many-files", repo_type="dataset", recursive=True))) == 2500 + 51 + 1
    meta = api.get_safetensors_metadata("unsloth/gemma-2b")
    assert sum(meta.parameter_count.values()) == 2_506_172_416
    assert api.model_info("gpt2").id == "openai-community/gpt2"
    assert api.model_info("Acme/TINY", expand=["gated", "safetensors"]).safetensors.total > 0
    assert api.file_exists("acme/tiny", "config.json") and not api.file_exists("acme/tiny", "none")
    assert "acme/tiny" in [one.id for one in api.list_models(author="acme")]
    entry = list(api.list_repo_tree("acme/tiny", expand=True))[0]
    assert entry.last_commit.title
    # A range of a file that has no bytes on disk.
    assert len(pathlib.Path(hf_hub_download("acme/tiny", "model.safetensors")).read_bytes()) == \
        api.get_paths_info("acme/tiny", "model.safetensors")[0].size


def closed():
    nobody = HfApi(token=False)
    for one in (api, nobody):
        refused(GatedRepoError, one.hf_hub_download, "acme/gated-model", "config.json")
        refused(RepositoryNotFoundError, one.model_info, "acme/private")
        refused(RepositoryNotFoundError, one.model_info, "acme/nothing")
    assert "awaiting a review" in refused(GatedRepoError, api.auth_check, "acme/gated-pending")
    assert api.model_info("acme/gated-model").gated == "manual"
    api.hf_hub_download("acme/gated-granted", "config.json")
    refused(DisabledRepoError, api.auth_check, "acme/disabled")
    refused(EntryNotFoundError, api.hf_hub_download, "acme/tiny", "none.json")
    refused(RevisionNotFoundError, api.hf_hub_download, "acme/tiny", "config.json", revision="none")
    refused(HfHubHTTPError, api.create_repo, "acme/mine", status=403)
    refused(HfHubHTTPError, reader.create_repo, "sim-user/mine", status=403)


def managing():
    repo = "sim-user/py-model"
    api.update_repo_settings(repo, gated="manual", private=False)
    refused(GatedRepoError, friend.hf_hub_download, repo, "small.json", cache_dir="friend")
    api.grant_access(repo, "sim-friend")
    assert [one.username for one in api.list_accepted_access_requests(repo)] == ["sim-friend"]
    friend.hf_hub_download(repo, "small.json", cache_dir="friend")
    api.move_repo(repo, "sim-org/py-moved")
    assert api.model_info(repo).id == "sim-org/py-moved"
    api.delete_file("small.json", "sim-org/py-moved")
    assert not api.file_exists("sim-org/py-moved", "small.json")
    for name, kind in (("sim-org/py-moved", "model"), ("sim-user/py-dataset", "dataset"), ("sim-user/py-folder", "model")):
        api.delete_repo(name, repo_type=kind)
        refused(RepositoryNotFoundError, api.repo_info, name, repo_type=kind)


for step in (accounts, writing, folders, history, reading, closed, managing):
    print(step.__name__, flush=True)
    step()
print("all calls done")
sys.stdout.flush()
