#pragma once
#include "base/error.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace podsmith::dataset {

/// Compresses a stream into one gzip member, in blocks of 1 MiB on several threads, as pigz does: each block
/// begins with the 32 KiB before it as dictionary and ends on a byte, so that joined they are one deflate
/// stream. The same input gives the same bytes on any number of threads.
class GzipWriter {
public:
    /// `sink` gets the compressed bytes in order, on the thread that calls `write`.
    GzipWriter(std::function<Result<void>(std::string_view)> sink, unsigned threads);
    ~GzipWriter();
    GzipWriter(const GzipWriter&) = delete;
    GzipWriter& operator=(const GzipWriter&) = delete;

    /// Fails with what the sink failed with. Holds a bounded number of blocks.
    Result<void> write(std::string_view bytes);
    /// Writes what is left and the end. Once.
    Result<void> finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace podsmith::dataset
