#pragma once
#include "hf/commit.hpp"

namespace podsmith::hf {

/// The body of a commit call (NDJSON: header, then one line a change) in a temporary file that goes with the
/// object.
class CommitBody {
public:
    /// Blocks (for the pool). Kind conflict when a file's bytes are not those of its `oid`; io.
    static Result<std::shared_ptr<CommitBody>> write(const CommitOrder& order, const std::string& parent);
    ~CommitBody();
    CommitBody(const CommitBody&) = delete;
    CommitBody& operator=(const CommitBody&) = delete;
    const std::string& path() const { return path_; }

private:
    CommitBody() = default;
    Result<void> add(const CommitEntry& entry);
    Result<void> add_file(const CommitEntry& entry);
    Result<void> put(std::string_view text);

    std::string path_;
    int descriptor_ = -1;
};

} // namespace podsmith::hf
