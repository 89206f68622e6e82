#pragma once
#include "net/loop.hpp"
#include "ssh/session.hpp"

#include <deque>
#include <functional>
#include <memory>

namespace podsmith::sync {

/// A part of a transfer that one channel does by itself.
using Job = std::function<net::Async<void>(std::shared_ptr<ssh::Session>)>;

/// Channels of each connection over a long line.
inline constexpr std::size_t kChannelsFar = 3;

/// Whether a round trip takes long enough for the windows to matter.
bool is_far(const ssh::Session& session);

/// How many channels do_jobs will use.
std::size_t channels_for(const ssh::Session& session, std::uint64_t bytes);

/// Does the jobs, several at once. One channel is bound by what the other side lets be under way (2 MiB for
/// OpenSSH), one connection by TCP's window: over a long line more of both are used, as far as `bytes` are
/// worth it. A further connection that is refused is done without. The first failure ends all.
net::Async<void> do_jobs(net::Loop& loop, std::shared_ptr<ssh::Session> session,
                         std::shared_ptr<std::deque<Job>> jobs, std::uint64_t bytes);

} // namespace podsmith::sync
