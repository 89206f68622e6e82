#include "ssh/agent.hpp"
#include "ssh/keys.hpp"
#include "ssh/wire.hpp"
#include "support/dropbear.hpp"
#include "support/ssh_agent.hpp"
#include "unit/ssh/world.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <libssh2.h>
#include <unistd.h>

namespace podsmith::ssh {
namespace {

using tests::Dropbear;
using tests::SshAgent;
using tests::Sshd;

std::vector<Identity> identities_of(World& world, const SshAgent& agent) {
    const auto keys = world.wait(agent_keys(world.loop, agent.socket()));
    REQUIRE(keys);
    std::vector<Identity> identities;
    for (const AgentKey& key : *keys) {
        Identity identity;
        identity.agent_blob = key.blob;
        identity.shown = key.comment;
        identities.push_back(std::move(identity));
    }
    return identities;
}

ConnectRequest by_agent(World& world, const Sshd& sshd, const SshAgent& agent) {
    ConnectRequest request = World::request(sshd, "");
    request.identities = identities_of(world, agent);
    request.agent_socket = agent.socket();
    return request;
}

} // namespace

TEST_CASE("every type of key logs in by the ssh-agent, RSA with SHA-2") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    const std::vector<std::vector<std::string>> kinds{{"-t", "ed25519"},
                                                      {"-t", "ecdsa", "-b", "256"},
                                                      {"-t", "ecdsa", "-b", "521"},
                                                      {"-t", "rsa", "-b", "3072"}};
    int count = 0;
    for (const auto& kind : kinds) {
        CAPTURE(kind);
        const auto agent = SshAgent::start();
        if (!agent)
            return;
        agent->add(sshd->make_key("agent" + std::to_string(++count), kind));
        World world;
        const auto session = world.connect(by_agent(world, *sshd, *agent));
        REQUIRE_MESSAGE(session, (session ? "" : session.error().text()));
        CHECK(world.output(*session, "echo in") == "in\n");
    }
}

TEST_CASE("the server takes the one of several keys that it knows, whoever holds it") {
    const auto sshd = Sshd::start();
    const auto agent = SshAgent::start();
    if (!sshd || !agent)
        return;
    agent->add(sshd->make_key("stranger", {"-t", "ed25519"}, false));
    agent->add(sshd->make_key("known", {"-t", "rsa", "-b", "2048"}));
    World world;
    CHECK(world.connect(by_agent(world, *sshd, *agent)));
    // A key in memory behind one that is refused.
    const std::string file = sshd->make_key("file", {"-t", "ecdsa"});
    ConnectRequest request = by_agent(world, *sshd, *agent);
    request.identities.pop_back();
    Identity identity;
    identity.key = *load_private_key(file, file, Secret());
    identity.shown = file;
    request.identities.push_back(std::move(identity));
    CHECK(world.connect(std::move(request)));
}

TEST_CASE("keys that are all refused are named, and so is a server that hangs up after some of them") {
    const auto sshd = Sshd::start();
    const auto agent = SshAgent::start();
    if (!sshd || !agent)
        return;
    World world;
    for (const char* name : {"one", "two"})
        agent->add(sshd->make_key(name, {"-t", "ed25519"}, false));
    auto session = world.connect(by_agent(world, *sshd, *agent));
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::auth);
    CHECK(session.error().message == "log in to " + sshd->user() +
                                         "@127.0.0.1:" + std::to_string(sshd->port()) +
                                         ": the server refused each key: one, two");
    for (const char* name : {"three", "four", "five", "six", "seven", "eight"})
        agent->add(sshd->make_key(name, {"-t", "ed25519"}, false));
    session = world.connect(by_agent(world, *sshd, *agent));
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::auth);
    CHECK(session.error().message.find("the server hung up after it had refused") != std::string::npos);
    CHECK(session.error().hint ==
          "name the right one with SSH_PRIVATE_KEY_PATH, or leave fewer in the agent (ssh-add -d)");
}

TEST_CASE("an agent that has lost the key, or has gone, is said") {
    const auto sshd = Sshd::start();
    auto agent = SshAgent::start();
    if (!sshd || !agent)
        return;
    World world;
    agent->add(sshd->make_key("known", {"-t", "ed25519"}));
    const ConnectRequest request = by_agent(world, *sshd, *agent);
    agent->forget_all();
    auto session = world.connect(request);
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::auth);
    CHECK(session.error().message.find("use known: the ssh-agent refused to sign") != std::string::npos);
    const std::string socket = agent->socket();
    agent.reset();
    const auto keys = world.wait(agent_keys(world.loop, socket));
    REQUIRE_FALSE(keys);
    CHECK(keys.error().kind == Kind::auth);
    CHECK(keys.error().message == "ask the ssh-agent at " + socket + ": No such file or directory");
}

TEST_CASE("an answer of an agent that is cut or altered is an error at every length, never a crash") {
    std::string answer(1, 12);
    put_number(answer, 1);
    std::string blob;
    put_string(blob, "ssh-ed25519");
    put_string(blob, std::string(32, 'k'));
    put_string(answer, blob);
    put_string(answer, "me");
    REQUIRE(parse_agent_keys(answer));
    CHECK(parse_agent_keys(answer)->front().comment == "me");
    for (std::size_t length = 0; length < answer.size(); ++length)
        CHECK_FALSE(parse_agent_keys(answer.substr(0, length)));
    std::string signature;
    put_string(signature, "ssh-rsa");
    put_string(signature, "sig");
    std::string signed_answer(1, 14);
    put_string(signed_answer, signature);
    CHECK(*parse_agent_signature(signed_answer, "ssh-rsa") == "sig");
    const auto old = parse_agent_signature(signed_answer, "rsa-sha2-512");
    REQUIRE_FALSE(old);
    CHECK(old.error().message == "the ssh-agent signed with ssh-rsa and not with rsa-sha2-512");
    for (std::size_t length = 0; length < signed_answer.size(); ++length)
        CHECK_FALSE(parse_agent_signature(signed_answer.substr(0, length), "ssh-rsa"));
}

TEST_CASE("a locked key file shows its public half and whether it is locked") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    for (const std::string passphrase : {"", "correct horse"}) {
        for (const std::string format : {"RFC4716", "PEM"}) {
            CAPTURE(passphrase);
            CAPTURE(format);
            const std::string path =
                sshd->make_key("look-" + format + (passphrase.empty() ? "a" : "b"),
                               {"-t", "rsa", "-b", "2048", "-m", format, "-N", passphrase});
            const auto facts = look_at_key(path, path);
            REQUIRE(facts);
            CHECK(facts->is_encrypted == !passphrase.empty());
            const auto key = load_private_key(path, path, Secret(passphrase, "passphrase"));
            REQUIRE(key);
            CHECK(facts->public_blob == (*key)->blob("ssh-rsa"));
        }
    }
}

TEST_CASE("Dropbear lets in ed25519 and ecdsa keys, runs commands and reports their ends") {
    const auto server = Dropbear::start();
    if (!server)
        return;
    World world;
    for (const char* type : {"ed25519", "ecdsa"}) {
        CAPTURE(type);
        ConnectRequest request;
        request.host = "127.0.0.1";
        request.port = server->port();
        request.user = server->user();
        request.key_file = server->make_key(type);
        const auto session = world.connect(std::move(request));
        REQUIRE_MESSAGE(session, (session ? "" : session.error().text()));
        CHECK(world.output(*session, "echo in") == "in\n");
        CHECK(world.exec(*session, "exit 7")->exit.code == 7);
        CHECK(world.exec(*session, "kill -KILL $$")->exit.signal == "KILL");
        ExecRequest with_env;
        with_env.command = "cat; echo $A";
        with_env.env = {{"A", "it's"}};
        with_env.input = "input\n";
        CHECK(world.wait((*session)->exec(std::move(with_env)))->out == "input\nit's\n");
    }
}

TEST_CASE("Dropbear's refusals: a key it does not know, an RSA key, a host key that is another") {
    const auto server = Dropbear::start();
    if (!server)
        return;
    World world;
    ConnectRequest request;
    request.host = "127.0.0.1";
    request.port = server->port();
    request.user = server->user();
    request.key_file = (server->folder() / "stranger").string();
    tests::run_program({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", request.key_file});
    const auto stranger = world.connect(request);
    REQUIRE_FALSE(stranger);
    CHECK(stranger.error().kind == Kind::auth);
    CHECK(stranger.error().hint == "is its .pub among the pod's PUBLIC_KEY?");

    request.key_file = server->make_key("rsa");
    const auto rsa = world.connect(request);
    if (!libssh2_version(0x010b00)) {
        REQUIRE_FALSE(rsa);
        CHECK(rsa.error().message.ends_with("the server refused key " + request.key_file));
        CHECK(rsa.error().hint.starts_with("the server is Dropbear, which takes RSA keys from libssh2 1.11"));
    } else {
        CHECK(rsa);
    }

    request.key_file = server->make_key("ed25519");
    request.host_key.fingerprints = {"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    const auto other = world.connect(request);
    REQUIRE_FALSE(other);
    CHECK(other.error().kind == Kind::host_key);
}

} // namespace podsmith::ssh
