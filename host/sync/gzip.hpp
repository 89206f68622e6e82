#pragma once
#include "ssh/feed.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sync {

/// How far a packed stream is: read on the loop, written on the pool.
struct Packed {
    std::atomic<std::uint64_t> from{0}; ///< bytes that went in
    std::atomic<std::uint64_t> to{0};   ///< bytes that they became

    /// What so many bytes of the packed stream stand for, about.
    std::uint64_t unpacked(std::uint64_t bytes) const;
};

/// The gzip stream of what `next` gives, at the fastest level.
ssh::Source packed(ssh::Source next, std::shared_ptr<Packed> progress);

/// A file, or a part of one.
struct Extent {
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// Whether packing is worth it: a sample from all over the extents, of a MiB at most, shrinks by a third.
/// False for less than 256 KiB in all. Reads files: for the pool.
bool shrinks(const std::vector<Extent>& extents);

/// Unpacks a gzip stream as it comes.
class Unpacker {
public:
    using Take = std::function<Result<void>(std::string_view)>;
    Unpacker();
    ~Unpacker();
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;
    /// Hands over what the bytes become, in pieces of bounded size. Error{protocol} for what is no such
    /// stream, or the error of `take`. What follows the stream's end is left out.
    Result<void> add(std::string_view bytes, const Take& take);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace podsmith::sync
