#include "ssh/agent.hpp"

#include "ssh/wire.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <memory>

namespace podsmith::ssh {
namespace {

namespace asio = boost::asio;

constexpr double kListDeadline = 5;
constexpr std::uint32_t kMostAnswer = 256 * 1024; // OpenSSH's own limit

constexpr char kRequestIdentities = 11;
constexpr char kIdentitiesAnswer = 12;
constexpr char kSignRequest = 13;
constexpr char kSignResponse = 14;
constexpr std::uint32_t kRsaSha256 = 2;
constexpr std::uint32_t kRsaSha512 = 4;

bool is_usable(std::string_view type) {
    constexpr std::array<std::string_view, 5> kUsable{
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"};
    return std::find(kUsable.begin(), kUsable.end(), type) != kUsable.end();
}

tl::unexpected<Error> no_agent(const std::string& socket, const std::string& why) {
    return fail(Kind::auth, fmt::format("ask the ssh-agent at {}: {}", socket, why),
                "start one (eval $(ssh-agent); ssh-add), or unset SSH_AUTH_SOCK");
}

tl::unexpected<Error> damaged() {
    return fail(Kind::protocol, "the ssh-agent's answer is damaged", "restart the agent");
}

// One request and its answer, without their length fields.
Async<std::string> talk(net::Loop& loop, std::string socket, std::string request) {
    asio::local::stream_protocol::socket stream(loop.executor());
    boost::system::error_code code;
    // A path that is too long for a socket throws.
    if (socket.size() >= 100)
        co_return no_agent(socket, "the path is too long for a socket");
    const asio::local::stream_protocol::endpoint endpoint(socket);
    stream.connect(endpoint, code); // local: at once
    if (code)
        co_return no_agent(socket, code.message());
    std::string framed;
    put_string(framed, request);
    auto [unsent, sent] =
        co_await asio::async_write(stream, asio::buffer(framed), asio::as_tuple(asio::use_awaitable));
    if (unsent == asio::error::operation_aborted)
        throw boost::system::system_error(unsent);
    if (unsent)
        co_return no_agent(socket, unsent.message());
    std::string head(4, '\0');
    auto [no_head, head_size] =
        co_await asio::async_read(stream, asio::buffer(head), asio::as_tuple(asio::use_awaitable));
    if (no_head == asio::error::operation_aborted)
        throw boost::system::system_error(no_head);
    if (no_head)
        co_return no_agent(socket, "it ended the connection");
    const std::uint32_t length = WireReader(head).number();
    if (length == 0 || length > kMostAnswer)
        co_return damaged();
    std::string answer(length, '\0');
    auto [no_rest, rest_size] =
        co_await asio::async_read(stream, asio::buffer(answer), asio::as_tuple(asio::use_awaitable));
    if (no_rest == asio::error::operation_aborted)
        throw boost::system::system_error(no_rest);
    if (no_rest)
        co_return no_agent(socket, "it ended the connection");
    co_return answer;
}

} // namespace

Result<std::vector<AgentKey>> parse_agent_keys(std::string_view answer) {
    if (answer.empty() || answer[0] != kIdentitiesAnswer)
        return damaged();
    WireReader reader(answer.substr(1));
    const std::uint32_t count = reader.number();
    std::vector<AgentKey> keys;
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        AgentKey key;
        key.blob = std::string(reader.string());
        key.comment = std::string(reader.string());
        key.type = std::string(WireReader(key.blob).string());
        if (reader.ok() && is_usable(key.type))
            keys.push_back(std::move(key));
    }
    if (!reader.ok())
        return damaged();
    return keys;
}

Result<std::string> parse_agent_signature(std::string_view answer, std::string_view algorithm) {
    if (answer.empty() || answer[0] != kSignResponse)
        return fail(Kind::auth, "the ssh-agent refused to sign",
                    "was the use of the key not confirmed, or is the agent locked (ssh-add -X)?");
    WireReader outer(answer.substr(1));
    const std::string_view signature = outer.string();
    WireReader inner(signature);
    const std::string_view used = inner.string();
    const std::string_view blob = inner.string();
    if (!outer.ok() || !inner.ok())
        return damaged();
    if (used != algorithm)
        return fail(Kind::auth, fmt::format("the ssh-agent signed with {} and not with {}", used, algorithm),
                    "it is too old for RSA keys; use an ed25519 key: ssh-keygen -t ed25519");
    return std::string(blob);
}

Async<std::vector<AgentKey>> agent_keys(net::Loop& loop, std::string socket) {
    Async<std::string> talking = talk(loop, socket, std::string(1, kRequestIdentities));
    std::string doing = "ask the ssh-agent at " + socket;
    Async<std::string> limited =
        net::with_deadline<std::string>(loop, kListDeadline, std::move(doing), std::move(talking));
    Result<std::string> answer = co_await std::move(limited);
    if (!answer && answer.error().kind == Kind::timeout)
        co_return no_agent(socket, "it does not answer");
    if (!answer)
        co_return fail(answer.error());
    co_return parse_agent_keys(*answer);
}

Async<std::string> agent_sign(net::Loop& loop, std::string socket, std::string blob, std::string data,
                              std::string algorithm) {
    std::string request(1, kSignRequest);
    put_string(request, blob);
    put_string(request, data);
    put_number(request, algorithm == "rsa-sha2-512"   ? kRsaSha512
                        : algorithm == "rsa-sha2-256" ? kRsaSha256
                                                      : 0);
    Async<std::string> talking = talk(loop, std::move(socket), std::move(request));
    Result<std::string> answer = co_await std::move(talking);
    if (!answer)
        co_return fail(answer.error());
    co_return parse_agent_signature(*answer, algorithm);
}

} // namespace podsmith::ssh
