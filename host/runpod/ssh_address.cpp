#include "runpod/ssh_address.hpp"

#include <boost/asio/ip/address_v4.hpp>

namespace podsmith::runpod {
namespace {

using nlohmann::json;

constexpr int kSshPort = 22;

/// The member, or null when any step is missing or not an object.
const json& member(const json& object, const char* key) {
    static const json null;
    if (!object.is_object())
        return null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
}

std::optional<int> port_of(const json& value) {
    if (!value.is_number_integer())
        return std::nullopt;
    const auto port = value.get<std::int64_t>();
    return port >= 1 && port <= 65535 ? std::optional<int>(static_cast<int>(port)) : std::nullopt;
}

/// Carrier-grade NAT, 100.64.0.0/10: Runpod lists such addresses for http ports, and nobody outside reaches
/// them.
bool is_behind_nat(const std::string& ip) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address_v4(ip, error);
    return !error && (address.to_uint() & 0xFFC00000u) == 0x64400000u;
}

std::optional<SshAddress> from_direct(const json& direct) {
    const json& host = member(direct, "host");
    const auto port = port_of(member(direct, "port"));
    if (!host.is_string() || host.get_ref<const std::string&>().empty() || !port)
        return std::nullopt;
    SshAddress address;
    address.host = host.get<std::string>();
    address.port = *port;
    if (const json& user = member(direct, "username");
        user.is_string() && !user.get_ref<const std::string&>().empty())
        address.user = user.get<std::string>();
    return address;
}

std::optional<SshAddress> from_port(const json& entry) {
    const json& ip = member(entry, "ip");
    const auto port = port_of(member(entry, "public"));
    if (member(entry, "private") != kSshPort || member(entry, "type") != "tcp" || !ip.is_string() || !port)
        return std::nullopt;
    SshAddress address;
    address.host = ip.get<std::string>();
    address.port = *port;
    if (address.host.empty() || is_behind_nat(address.host))
        return std::nullopt;
    return address;
}

} // namespace

std::optional<SshAddress> ssh_address(const json& pod) {
    if (auto address = from_direct(member(member(pod, "ssh"), "direct")))
        return address;
    const json& ports = member(member(pod, "runtime"), "ports");
    if (ports.is_array())
        for (const json& entry : ports)
            if (auto address = from_port(entry))
                return address;
    return std::nullopt;
}

} // namespace podsmith::runpod
