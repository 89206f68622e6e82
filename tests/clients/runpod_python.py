"""The SDK's calls in the order in which a user makes them; run by runpod_python.sh."""
import os
import time

import runpod
from runpod import error

GPU = "NVIDIA L40S"


def expect(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")


def refused(kind, text, call, *args, **named):
    try:
        call(*args, **named)
    except kind as caught:
        if text not in str(caught):
            raise SystemExit(f"{call.__name__}: {caught!s} does not say {text!r}") from caught
        return
    raise SystemExit(f"{call.__name__} was not refused")


def gpus():
    listed = {gpu["id"]: gpu for gpu in runpod.get_gpus()}
    expect("memory of the GPU", listed[GPU]["memoryInGb"], 48)
    one = runpod.get_gpu(GPU, 2)
    expect("display name", one["displayName"], "L40S")
    expect("price", one["securePrice"], 0.86)
    price = one["lowestPrice"]
    if not 0 < price["minimumBidPrice"] < price["uninterruptablePrice"]:
        raise SystemExit(f"prices: {price}")
    refused(ValueError, "No GPU found", runpod.get_gpu, "NVIDIA Nothing")


def keys():
    key = "ssh-ed25519 " + "A" * 68 + " sdk"
    runpod.update_user_settings(key)
    expect("account key", runpod.get_user()["pubKey"], key)


def create():
    pod = runpod.create_pod(
        "sdk-one", "podsmith-sim/no-container", GPU, cloud_type="SECURE", volume_in_gb=20,
        container_disk_in_gb=10, ports="22/tcp,8888/http", env={"A": "1", "B": "two words"})
    print("pod", pod["id"])
    if not {"A=1", "B=two words"} <= set(pod["env"]):
        raise SystemExit(f"env: {pod['env']}")
    expect("host id", pod["machine"]["podHostId"].split("-")[0], pod["id"])
    return pod["id"]


def ssh_port(pod_id):
    """As `runpod ssh` waits: the public port of private port 22."""
    for _ in range(300):
        runtime = runpod.get_pod(pod_id)["runtime"]
        for port in runtime["ports"] if runtime else []:
            if port["privatePort"] == 22 and port["isIpPublic"]:
                return port["publicPort"]
        time.sleep(0.1)
    raise SystemExit("port 22 was never mapped")


def life():
    pod_id = create()
    listed = runpod.get_pods()
    expect("listed pods", [pod["id"] for pod in listed], [pod_id])
    expect("ports", listed[0]["ports"], "22/tcp,8888/http")
    expect("volume", listed[0]["volumeInGb"], 20)
    first = ssh_port(pod_id)
    expect("stop", runpod.stop_pod(pod_id)["desiredStatus"], "EXITED")
    expect("runtime of a stopped pod", runpod.get_pod(pod_id)["runtime"], None)
    expect("resume", runpod.resume_pod(pod_id, 1)["desiredStatus"], "RUNNING")
    if ssh_port(pod_id) == first:
        raise SystemExit("the SSH port did not change with the restart")
    runpod.terminate_pod(pod_id)
    expect("a terminated pod", runpod.get_pod(pod_id), None)
    refused(error.QueryError, "pod not found to terminate", runpod.terminate_pod, pod_id)


def belongings():
    """Templates and registry logins, and pods made of them."""
    made = runpod.create_template("sdk-template", "podsmith-sim/no-container", "sleep 60", container_disk_in_gb=15,
                                  ports="22/tcp", env={"FROM": "template"})
    expect("template's command", made["dockerArgs"], "sleep 60")
    expect("template's env", made["env"], [{"key": "FROM", "value": "template"}])
    pod = runpod.create_pod("sdk-two", "", GPU, cloud_type="SECURE", template_id=made["id"], env={"OWN": "1"})
    expect("env of both", {"FROM=template", "OWN=1"} <= set(pod["env"]), True)
    expect("image of the template", pod["imageName"], "podsmith-sim/no-container")
    runpod.terminate_pod(pod["id"])
    login = runpod.create_container_registry_auth("sdk-login", "user", "secret-word")
    expect("login", login["name"], "sdk-login")
    expect("login updated", runpod.update_container_registry_auth(login["id"], "user", "other")["id"], login["id"])
    runpod.delete_container_registry_auth(login["id"])
    refused(error.QueryError, "", runpod.delete_container_registry_auth, login["id"])


def cpu():
    pod = runpod.create_pod("sdk-cpu", "podsmith-sim/no-container", instance_id="cpu3c-2-4")
    shown = runpod.get_pod(pod["id"])
    expect("vCPUs and GPUs", (shown["vcpuCount"], shown["gpuCount"]), (2, 0))
    runpod.terminate_pod(pod["id"])


def refusals():
    refused(error.QueryError, "no longer any instances available", runpod.create_pod, "none", "image",
            "NVIDIA B200")
    runpod.api_key = "wrong"
    refused(error.AuthenticationError, "Unauthorized", runpod.get_pods)


runpod.api_key = os.environ["RUNPOD_API_KEY"]
gpus()
keys()
life()
belongings()
cpu()
refusals()
print("all calls done")
