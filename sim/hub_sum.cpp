#include "sim/hub_sum.hpp"

#include <algorithm>

namespace podsmith::sim {

void HubSum::part_begins(int number) {
    // A part that comes twice may bring other bytes than those that were hashed.
    if (!begun_.insert(number).second)
        is_spoiled_ = true;
}

void HubSum::part_is_there(int number) {
    there_.insert(number);
    if (running_ || is_spoiled_)
        return;
    running_ = std::make_shared<net::Gate>(loop_.executor());
    std::function<void(Result<void>)> done = [self = shared_from_this()](const Result<void>& followed) {
        self->is_spoiled_ = self->is_spoiled_ || !followed;
        std::exchange(self->running_, nullptr)->open();
    };
    net::start<void>(loop_, follow(), std::move(done));
}

net::Async<void> HubSum::follow() {
    while (!is_spoiled_ && !is_complete() && there_.contains(static_cast<int>(hashed_ / part_size_) + 1)) {
        const std::uint64_t count = std::min(part_size_, size_ - hashed_);
        std::function<Result<void>()> work = [self = shared_from_this(), from = hashed_, count] {
            return self->file_->feed(self->sum_, from, count);
        };
        net::Async<void> fed = loop_.offload<void>(std::move(work));
        Result<void> result = co_await std::move(fed);
        if (!result)
            co_return result;
        hashed_ += count;
    }
    co_return Result<void>();
}

net::Async<std::string> HubSum::finish() {
    const std::shared_ptr<HubSum> self = shared_from_this();
    while (const std::shared_ptr<net::Gate> running = running_)
        co_await running->wait();
    if (!is_spoiled_ && is_complete()) {
        if (!digest_)
            digest_ = sum_.hex();
        co_return *digest_;
    }
    std::function<Result<std::string>()> work = [file = file_] { return file->sha256(); };
    net::Async<std::string> summed = loop_.offload<std::string>(std::move(work));
    Result<std::string> sum = co_await std::move(summed);
    co_return sum;
}

} // namespace podsmith::sim
