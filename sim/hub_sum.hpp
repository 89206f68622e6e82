#pragma once
#include "base/hash.hpp"
#include "net/loop.hpp"
#include "sim/hub_pool.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>

namespace podsmith::sim {

/// The sha256 of an upload in parts, taken while parts come, so that the call that ends the upload finds it
/// ready. Belongs to the loop's thread; hashing is the pool's, one part at a time and in order.
class HubSum : public std::enable_shared_from_this<HubSum> {
public:
    HubSum(net::Loop& loop, std::shared_ptr<PoolFile> file, std::uint64_t size, std::uint64_t part_size)
        : loop_(loop), file_(std::move(file)), size_(size), part_size_(part_size) {}

    /// Before a part's first byte is written.
    void part_begins(int number);
    /// After its last: hashes what the file's beginning now has more.
    void part_is_there(int number);
    /// The sum of the file as it is now.
    net::Async<std::string> finish();

private:
    net::Async<void> follow();
    bool is_complete() const { return hashed_ >= size_; }

    net::Loop& loop_;
    std::shared_ptr<PoolFile> file_;
    std::uint64_t size_, part_size_;
    Sha256 sum_;               ///< of the first `hashed_` bytes
    std::uint64_t hashed_ = 0; ///< whole parts
    std::set<int> begun_, there_;
    bool is_spoiled_ = false; ///< what was hashed may not be what the file has
    std::shared_ptr<net::Gate> running_;
    std::optional<std::string> digest_;
};

} // namespace podsmith::sim
