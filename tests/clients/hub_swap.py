"""One folder to or from the Hub with the official Python client: hub_swap.py write|read|cached REPO FOLDER."""
import shutil
import sys

from huggingface_hub import HfApi, snapshot_download

what, repo, folder = sys.argv[1:]
if what == "write":
    HfApi().create_repo(repo, private=True)
    HfApi().upload_folder(repo_id=repo, folder_path=folder)
else:  # cached: what podsmith has put into the shared cache, without a request
    where = snapshot_download(repo, local_files_only=what == "cached")
    shutil.copytree(where, folder)
