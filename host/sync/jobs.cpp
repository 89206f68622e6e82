#include "sync/jobs.hpp"

#include "base/log.hpp"
#include "net/workers.hpp"
#include "ssh/transport.hpp"

#include <algorithm>

namespace podsmith::sync {
namespace {

constexpr double kFar = 0.005;                         // seconds of a round trip
constexpr std::uint64_t kWorthAConnection = 16u << 20; // bytes
constexpr std::size_t kConnections = 4;
constexpr std::size_t kChannelsNear = 2;

struct Width {
    std::size_t connections = 1;
    std::size_t channels = 1; // of each
};

Width width_for(const ssh::Session& session, std::uint64_t bytes) {
    const bool far = is_far(session);
    Width width;
    width.channels = far ? kChannelsFar : kChannelsNear;
    if (far)
        width.connections =
            std::clamp<std::size_t>(static_cast<std::size_t>(bytes / kWorthAConnection), 1, kConnections);
    return width;
}

using Jobs = std::shared_ptr<std::deque<Job>>;

net::Async<void> work_off(std::shared_ptr<ssh::Session> session, Jobs jobs) {
    while (!jobs->empty()) {
        Job job = std::move(jobs->front());
        jobs->pop_front();
        net::Async<void> work = job(session);
        Result<void> done = co_await std::move(work);
        if (!done)
            co_return done;
    }
    co_return Result<void>();
}

// Jobs that are left after a failure hold the transfer that holds them.
struct Clearer {
    Jobs jobs;
    ~Clearer() { jobs->clear(); }
};

net::Async<void> work_off_many(net::Loop& loop, std::shared_ptr<ssh::Session> session, Jobs jobs,
                               std::size_t channels) {
    std::vector<net::Async<void>> works;
    for (std::size_t i = 0; i < std::min(channels, jobs->size()); ++i)
        works.push_back(work_off(session, jobs));
    net::Async<void> all = run_all(loop, std::move(works));
    Result<void> done = co_await std::move(all);
    co_return done;
}

struct Closer {
    std::shared_ptr<ssh::Session> session;
    ~Closer() { session->close(); }
};

net::Async<void> work_off_beside(net::Loop& loop, std::shared_ptr<ssh::Session> first, Jobs jobs,
                                 std::size_t channels) {
    net::Async<std::shared_ptr<ssh::Session>> connecting = first->connect_again();
    Result<std::shared_ptr<ssh::Session>> session = co_await std::move(connecting);
    if (!session) {
        log::debug("sync: no further connection: {}", session.error().message);
        co_return Result<void>();
    }
    const Closer closer{*session};
    // The same way to the same server: what is decided by the distance must not wait for its first channel.
    (*session)->transport()->note_round_trip(first->round_trip());
    net::Async<void> work = work_off_many(loop, *session, jobs, channels);
    Result<void> done = co_await std::move(work);
    co_return done;
}

} // namespace

bool is_far(const ssh::Session& session) {
    return session.round_trip() >= kFar;
}

std::size_t channels_for(const ssh::Session& session, std::uint64_t bytes) {
    const Width width = width_for(session, bytes);
    return width.connections * width.channels;
}

net::Async<void> do_jobs(net::Loop& loop, std::shared_ptr<ssh::Session> session, Jobs jobs,
                         std::uint64_t bytes) {
    const Clearer clearer{jobs};
    const Width width = width_for(*session, bytes);
    std::vector<net::Async<void>> works;
    works.push_back(work_off_many(loop, session, jobs, width.channels));
    for (std::size_t i = 1; i < width.connections; ++i)
        works.push_back(work_off_beside(loop, session, jobs, width.channels));
    net::Async<void> all = run_all(loop, std::move(works));
    Result<void> done = co_await std::move(all);
    co_return done;
}

} // namespace podsmith::sync
