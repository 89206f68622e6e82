#pragma once
#include "ssh/session.hpp"
#include "ssh/transport.hpp"

#include <memory>
#include <string>

namespace podsmith::ssh {

struct LoggedIn {
    std::shared_ptr<Transport> transport;
    HostKey host_key;
};

/// "root@10.0.0.7:22"; IPv6 addresses in brackets.
std::string address_of(const ConnectRequest& request);
/// Everything between an address and an authenticated connection; Session::connect says what can go wrong.
Async<LoggedIn> log_in(net::Loop& loop, ConnectRequest request);

} // namespace podsmith::ssh
