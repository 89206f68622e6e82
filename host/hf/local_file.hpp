#pragma once
#include "base/error.hpp"

#include <cstdint>
#include <string>

/// Local files as uploads and downloads see them. All calls block (for the pool); memory stays under 2 MiB
/// whatever the file's size.
namespace podsmith::hf {

/// What a file was like when it was looked at: a later look that differs means that it was written to.
struct FileState {
    std::uint64_t size = 0;
    std::int64_t mtime = 0; ///< nanoseconds since 1970
    std::uint64_t inode = 0;
    bool operator==(const FileState&) const = default;
};

/// Follows links. Kind not_found, io; invalid when it is no regular file.
Result<FileState> look_at(const std::string& file);
/// The first `count` bytes, fewer when the file is shorter.
Result<std::string> beginning_of(const std::string& file, std::size_t count);
/// 64 hex digits.
Result<std::string> sha256_of(const std::string& file);
/// The id git gives to a file of this content and size: sha1 of "blob <size>\0" and the content.
Result<std::string> git_id_of(const std::string& file, std::uint64_t size);
std::string git_id_of_text(const std::string& content);

} // namespace podsmith::hf
