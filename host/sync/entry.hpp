#pragma once
#include "base/tar.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace podsmith::sync {

enum class Type : char { file = 'f', folder = 'd', link = 'l', other = 'o' };

/// One thing in a tree, here or on the other side. Paths are bytes, relative to the tree's root, parts apart
/// by
/// '/', never "" and never with a slash at either end.
struct Entry {
    std::string path;
    Type type = Type::file;
    std::uint64_t size = 0; ///< bytes; files only
    std::int64_t mtime = 0; ///< nanoseconds since 1970
    unsigned mode = 0;      ///< permission bits, 07777
    std::string link = {};  ///< what a link points to
};

/// The entry as tar has it; not for Type::other.
inline TarMember tar_member(const Entry& entry) {
    const auto type = entry.type == Type::folder ? TarMember::Type::folder
                      : entry.type == Type::link ? TarMember::Type::link
                                                 : TarMember::Type::file;
    return {entry.path, type, entry.size, entry.mtime, entry.mode, entry.link};
}

/// Ordered by path, byte by byte.
using Tree = std::vector<Entry>;

inline std::string_view parent_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

/// Folders of this name are a transfer's own, on both sides: never listed, sent or deleted.
inline constexpr std::string_view kStagePrefix = ".podsmith-part-";

} // namespace podsmith::sync
