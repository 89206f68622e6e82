#include "base/text.hpp"
#include "sim/sandbox.hpp"
#include "sim/sandbox_disk.hpp"
#include "sim/sandbox_process.hpp"
#include "unit/sim_pod/fixture.hpp"

#include <algorithm>
#include <csignal>
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

TEST_CASE("a start command is split as a shell splits words") {
    const auto words = split_command(R"(bash -lc '/start.sh & exec sleep "1 h"' a\ b "c\"d\x" '')");
    REQUIRE(words);
    CHECK(*words ==
          std::vector<std::string>{"bash", "-lc", "/start.sh & exec sleep \"1 h\"", "a b", "c\"d\\x", ""});
    CHECK(split_command("  ")->empty());
    const auto open = split_command("echo 'x");
    REQUIRE_FALSE(open);
    CHECK(open.error().kind == Kind::invalid);
    CHECK(open.error().message == "split the start command: no closing ' in it");
}

TEST_CASE("a reserved port is not given out twice") {
    const auto first = reserve_port();
    const auto second = reserve_port();
    REQUIRE(first);
    REQUIRE(second);
    CHECK(*first != *second);
    release_port(*first);
    release_port(*second);
}

TEST_CASE("a sandbox starts sshd as an official image does and prints its host keys") {
    PodFixture pod;
    REQUIRE_MESSAGE(Sandbox::available(), "this machine cannot run simulated pods");
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK(pod.sandbox->has_sshd());

    const auto at = [&pod](const std::string& line) {
        return std::find(pod.log.begin(), pod.log.end(), line) - pod.log.begin();
    };
    CHECK(at("Pod Started") < at("SSH host keys:"));
    CHECK(at("SSH host keys:") + 1 == at("Key: /etc/ssh/ssh_host_ecdsa_key.pub"));
    CHECK(at("Key: /etc/ssh/ssh_host_ed25519_key.pub") + 1 <
          at("Start script(s) finished, Pod is ready to use."));
    const std::string print = pod.log.at(at("Key: /etc/ssh/ssh_host_ed25519_key.pub") + 1);
    CHECK(starts_with_no_case(print, "256 SHA256:"));
    CHECK(print.ends_with("(ED25519)"));

    CHECK(pod.ssh("id -un; hostname; pwd; ls -d /opt /workspace /tmp") ==
          "root\npod-under-test\n/root\n/opt\n/tmp\n/workspace\n");
    // A non-interactive login does not see the pod's variables; process 1 has them.
    CHECK(pod.ssh("echo \"[$HF_TOKEN][$RUNPOD_POD_ID]\"") == "[][]\n");
    CHECK(pod.ssh("tr '\\0' '\\n' </proc/1/environ | grep ^HF_TOKEN") == "HF_TOKEN=hf_not_in_ps\n");
    CHECK(pod.ssh("grep RUNPOD_POD_ID /etc/rp_environment") == "export RUNPOD_POD_ID=\"pod-under-test\"\n");
    CHECK(pod.ssh("command -v nvidia-smi service") == "/usr/local/bin/nvidia-smi\n/usr/local/bin/service\n");
    // A terminal works, too.
    CHECK(pod.ssh("tty | cut -c1-9", "-tt") == "/dev/pts/\r\n");
}

TEST_CASE("a secret of the pod is in no process list") {
    PodFixture pod;
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK(run("ps -eww -o args | grep -c '[h]f_not_in_ps'") == "0\n");
}

TEST_CASE("without PUBLIC_KEY there is no sshd") {
    PodFixture pod;
    pod.spec.env.erase("PUBLIC_KEY");
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK_FALSE(pod.sandbox->has_sshd());
    CHECK(std::find(pod.log.begin(), pod.log.end(), "SSH host keys:") == pod.log.end());
}

TEST_CASE("args replace the start command, and its end is reported with its code") {
    PodFixture pod;
    pod.spec.args = "bash -c 'echo \"$RUNPOD_POD_ID\"; echo out >&2; printf unended; exit 7'";
    REQUIRE(pod.start());
    REQUIRE(pod.until([&] { return pod.code.has_value(); }));
    CHECK(*pod.code == 7);
    CHECK(pod.log == std::vector<std::string>{"pod-under-test", "out", "unended"});
    CHECK_FALSE(pod.sandbox->has_sshd());
    CHECK_FALSE(pod.sandbox->move_sshd());
}

TEST_CASE("args may run /start.sh themselves") {
    PodFixture pod;
    pod.spec.args = "bash -lc '/start.sh & exec sleep infinity'";
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK(pod.ssh("echo in") == "in\n");
}

TEST_CASE("the container disk is fresh at each start and the volume stays") {
    PodFixture pod;
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    pod.ssh("touch /root/a /opt/a /tmp/a /workspace/a /usr/local/bin/a");
    const std::string keys = pod.ssh("cat /etc/ssh/ssh_host_ed25519_key.pub");
    pod.sandbox->stop();
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    CHECK(pod.ssh("ls /root/a /opt/a /tmp/a /workspace/a /usr/local/bin/a 2>/dev/null") == "/workspace/a\n");
    CHECK(pod.ssh("cat /etc/ssh/ssh_host_ed25519_key.pub") != keys);
}

TEST_CASE("moving sshd cuts sessions, keeps detached jobs, and answers on the new port") {
    PodFixture pod;
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    pod.ssh("setsid sleep 4711 >/dev/null 2>&1 </dev/null &");
    Background session(pod.ssh_argv("sleep 4712"));
    REQUIRE(pod.until([&] { return pod.ssh("pgrep -fc 'sleep 471[2]'") == "1\n"; }));

    const int before = pod.sandbox->ssh_port();
    const auto port = pod.sandbox->move_sshd();
    REQUIRE(port);
    CHECK(*port != before);
    CHECK(*port == pod.sandbox->ssh_port());
    CHECK(session.wait() == 255);
    REQUIRE(pod.until([&] { return pod.ssh("true; echo up") == "up\n"; }));
    CHECK(pod.ssh("pgrep -fc 'sleep 471[1]'") == "1\n");
    CHECK(pod.ssh("pgrep -fc 'sleep 471[2]'") == "0\n");
}

TEST_CASE("stop kills everything in the sandbox") {
    PodFixture pod;
    REQUIRE(pod.start());
    REQUIRE(pod.wait_ready());
    const std::string mark = fmt::format("sleep 98{}", ::getpid());
    pod.ssh(fmt::format("setsid {} >/dev/null 2>&1 </dev/null &", mark));
    REQUIRE(pod.until([&] { return run(fmt::format("pgrep -xfc '{}'", mark)) == "1\n"; }));
    pod.sandbox->stop();
    CHECK(run(fmt::format("pgrep -xfc '{}'", mark)) == "0\n");
    CHECK_FALSE(pod.code.has_value());
    pod.sandbox->stop();
}

TEST_CASE("a sandbox dies with the process that started it") {
    // The child shares nothing with us but the file system: it starts a sandbox and is killed without a
    // chance to clean.
    PodFixture pod;
    pod.spec.args = fmt::format("bash -c 'echo up; sleep 97{}'", ::getpid());
    const std::string mark = fmt::format("sleep 97{}", ::getpid());
    const pid_t child = ::fork();
    if (child == 0) {
        ::setenv("TMPDIR", pod.dir.path.c_str(), 1); // it will not get to remove its own
        PodFixture inner;
        inner.spec.args = pod.spec.args;
        if (inner.start())
            inner.until([] { return false; });
        ::_exit(1);
    }
    REQUIRE(pod.until([&] { return run(fmt::format("pgrep -xfc '{}'", mark)) == "1\n"; }));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(pod.until([&] { return run(fmt::format("pgrep -xfc '{}'", mark)) == "0\n"; }));
}
