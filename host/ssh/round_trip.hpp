#pragma once

namespace podsmith::ssh {

/// Seconds of the shortest round trip that the kernel has seen on a TCP socket; 0 when it cannot tell. (The
/// smoothed one has the other side's delayed acknowledgements in it: 40 ms on loopback.)
double least_round_trip(int descriptor);

} // namespace podsmith::ssh
