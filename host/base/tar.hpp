#pragma once
#include <cstdint>
#include <string>
#include <string_view>

/// Writing of tar archives, block by block.
namespace podsmith {

struct TarMember {
    enum class Type : char { file = '0', link = '2', folder = '5' };
    std::string path;
    Type type = Type::file;
    std::uint64_t size = 0; ///< bytes; files only
    std::int64_t mtime = 0; ///< nanoseconds since 1970
    unsigned mode = 0;      ///< permission bits, 07777
    std::string link = {};  ///< what a link points to
};

/// Appends a member's header: ustar; GNU's "L" and "K" members before it for names and links over 100 bytes,
/// since busybox reads those and not pax; a pax member with the time's fraction where `with_fraction` (GNU
/// tar and bsdtar read it, busybox skips it). Names are bytes, as they are. A file's content follows, then
/// `append_tar_padding`.
void append_tar_header(std::string& out, const TarMember& member, bool with_fraction);
/// Fills the last block of a member of this size.
void append_tar_padding(std::string& out, std::uint64_t size);
/// The two empty blocks that end an archive.
void append_tar_end(std::string& out);
/// A whole small file.
void append_tar_file(std::string& out, const std::string& path, std::string_view content);

} // namespace podsmith
