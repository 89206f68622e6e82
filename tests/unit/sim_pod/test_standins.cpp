#include "unit/sim_pod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::sim_test;

TEST_CASE("nvidia-smi shows the GPUs the pod was made with") {
    PodFixture pod;
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK(pod.ssh("nvidia-smi -L | wc -l") == "2\n");
    CHECK(pod.ssh("nvidia-smi -L | head -1") ==
          "GPU 0: NVIDIA L40S (UUID: GPU-00000000-0000-4000-8000-000000000000)\n");
    CHECK(pod.ssh("nvidia-smi --query-gpu=index,name,memory.total,utilization.gpu --format=csv") ==
          "index, name, memory.total [MiB], utilization.gpu [%]\n0, NVIDIA L40S, 46068 MiB, 0 %\n"
          "1, NVIDIA L40S, 46068 MiB, 0 %\n");
    CHECK(pod.ssh("nvidia-smi -i 1 --query-gpu=memory.used --format=csv,noheader,nounits") == "3\n");
    CHECK(pod.ssh("nvidia-smi | grep -c L40S") == "2\n");
    CHECK(pod.ssh("nvidia-smi --frob 2>&1; echo $?").ends_with("\n2\n"));
}

TEST_CASE("the stand-ins carry a set-up script: apt, git clone, venv, pip, import checks") {
    PodFixture pod;
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK(pod.ssh("set -e; apt-get update >/dev/null; DEBIAN_FRONTEND=noninteractive apt-get install -y git "
                  "git-lfs "
                  ">/dev/null; apt-get install -y no-such-package 2>&1")
              .ends_with("E: Unable to locate package no-such-package\n"));
    CHECK(pod.ssh("GIT_LFS_SKIP_SMUDGE=1 git clone --depth 1 https://github.com/huggingface/open-r1.git "
                  "/opt/open-r1 "
                  "2>/dev/null; ls /opt/open-r1/src/open_r1") == "__init__.py\ngrpo.py\nsft.py\n");
    CHECK(pod.ssh("git clone https://github.com/nobody/nothing 2>&1; echo $?").ends_with("\n128\n"));

    const std::string venv = "set -e; python3.11 -m venv /opt/v; . /opt/v/bin/activate; ";
    CHECK(pod.ssh(venv + "command -v python pip accelerate; python --version") ==
          "/opt/v/bin/python\n/opt/v/bin/pip\n/opt/v/bin/accelerate\nPython 3.11.13\n");
    const std::string in = "set -e; . /opt/v/bin/activate; ";
    CHECK(pod.ssh(in + "python -c 'import torch'; echo no").find("No module named 'torch'") !=
          std::string::npos);
    pod.ssh(in + "pip install --upgrade pip setuptools wheel; pip install torch==2.6.0+cu124 --index-url "
                 "https://x/cu124; "
                 "pip install -e '/opt/open-r1[dev]'; pip install peft 'bitsandbytes>=0.40'");
    CHECK(pod.ssh(in + "python -c 'import torch; print(torch.__version__)'") == "2.6.0+cu124\n");
    CHECK(pod.ssh(in + "python -c 'import peft, bitsandbytes'; echo ok") == "ok\n");
    CHECK(pod.ssh(in + "pip freeze | grep -E '^(trl|transformers|open-r1)=='") ==
          "open-r1==0.1.0.dev0\ntransformers==4.52.3\ntrl==0.18.0\n");
    CHECK(pod.ssh(in + "pip uninstall -y transformers; pip install transformers==4.57.6 >/dev/null; "
                       "pip show transformers | sed -n 2p") ==
          "Successfully uninstalled transformers-4.52.3\nVersion: 4.57.6\n");
    CHECK(pod.ssh(in + "pip install transformers==4.58.0.dev0; echo no")
              .find("No matching distribution found for "
                    "transformers==4.58.0.dev0") != std::string::npos);
    CHECK(pod.ssh(in + "pip show no-such-thing; echo no") ==
          "WARNING: Package(s) not found: no-such-thing\n");
    // Outside of the environment nothing of it shows.
    CHECK(pod.ssh("python3 -c 'import torch' 2>&1 | tail -1") ==
          "ModuleNotFoundError: No module named 'torch'\n");
}
