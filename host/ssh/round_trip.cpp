#include "ssh/round_trip.hpp"

#include <linux/tcp.h> // netinet/tcp.h, which asio includes, lacks the field: hence a file of its own
#include <netinet/in.h>
#include <sys/socket.h>

namespace podsmith::ssh {

double least_round_trip(int descriptor) {
    tcp_info facts{};
    socklen_t size = sizeof facts;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &facts, &size) != 0)
        return 0;
    constexpr unsigned kUnknown = ~0u;
    return facts.tcpi_min_rtt == kUnknown ? 0 : facts.tcpi_min_rtt / 1e6; // it is in microseconds
}

} // namespace podsmith::ssh
