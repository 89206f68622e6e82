#pragma once
#include "net/loop.hpp"

#include <string>
#include <string_view>
#include <vector>

/// The ssh-agent's protocol (draft-ietf-sshm-ssh-agent), as far as a login needs it: what keys it holds, and
/// a signature with one of them. Each call makes a connection of its own; nothing blocks while a person
/// confirms.
namespace podsmith::ssh {

using net::Async;

struct AgentKey {
    std::string type; ///< "ssh-ed25519", "ecdsa-sha2-nistp256" (384, 521) or "ssh-rsa"
    std::string blob; ///< the public key, binary
    std::string comment;
};

/// The agent's keys that can log in from here (no certificates, no security keys), in its order. `socket` is
/// $SSH_AUTH_SOCK. Error{auth} when there is no agent, or none that answers within a few seconds.
Async<std::vector<AgentKey>> agent_keys(net::Loop& loop, std::string socket);

/// The inner signature blob (as PrivateKey::sign gives it) under `algorithm`: an RSA key signs with SHA-2,
/// never SHA-1. Waits for the person where the agent asks one. Error{auth} when the agent refuses.
Async<std::string> agent_sign(net::Loop& loop, std::string socket, std::string blob, std::string data,
                              std::string algorithm);

/// Reads the agent's answer to a request for its keys. Error{protocol} when it is damaged.
Result<std::vector<AgentKey>> parse_agent_keys(std::string_view answer);
/// Reads its answer to a request for a signature under `algorithm`.
Result<std::string> parse_agent_signature(std::string_view answer, std::string_view algorithm);

} // namespace podsmith::ssh
