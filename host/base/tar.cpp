#include "base/tar.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>

namespace podsmith {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::int64_t kSecond = 1'000'000'000;

struct Header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char owner[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char rest[12];
};
static_assert(sizeof(Header) == kBlock);

template <std::size_t N>
void put_octal(char (&field)[N], std::uint64_t value) {
    for (std::size_t i = N - 1; i-- > 0; value >>= 3)
        field[i] = static_cast<char>('0' + (value & 7));
    field[N - 1] = '\0';
}

// What octal digits cannot hold is written as a binary number with the top bit set (GNU's base-256).
template <std::size_t N>
void put_number(char (&field)[N], std::uint64_t value) {
    if (value >> (3 * (N - 1)) == 0) {
        put_octal(field, value);
        return;
    }
    for (std::size_t i = N; i-- > 0; value >>= 8)
        field[i] = static_cast<char>(value & 0xff);
    field[0] = static_cast<char>(field[0] | '\x80');
}

template <std::size_t N>
void put_text(char (&field)[N], std::string_view text) {
    text.copy(field, N);
}

struct Block {
    std::string_view name;
    char type = '0';
    std::uint64_t size = 0;
    std::int64_t mtime = 0; // seconds
    unsigned mode = 0644;
    std::string_view link = {};
};

void append_block(std::string& out, const Block& block) {
    Header header;
    std::memset(&header, 0, sizeof header);
    put_text(header.name, block.name);
    put_octal(header.mode, block.mode & 07777);
    put_octal(header.uid, 0);
    put_octal(header.gid, 0);
    put_number(header.size, block.size);
    put_number(header.mtime, static_cast<std::uint64_t>(std::max<std::int64_t>(block.mtime, 0)));
    header.type = block.type;
    put_text(header.link, block.link);
    std::memcpy(header.magic, "ustar", 6);
    std::memcpy(header.version, "00", 2);
    std::memset(header.checksum, ' ', sizeof header.checksum);
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i)
        sum += reinterpret_cast<const unsigned char*>(&header)[i];
    char digits[7];
    put_octal(digits, sum);
    std::memcpy(header.checksum, digits, sizeof digits);
    out.append(reinterpret_cast<const char*>(&header), kBlock);
}

void append_long(std::string& out, char type, std::string_view text) {
    append_block(out, Block{.name = "././@LongLink", .type = type, .size = text.size() + 1});
    out.append(text);
    out += '\0';
    append_tar_padding(out, text.size() + 1);
}

// "LENGTH mtime=SECONDS.FRACTION\n", the length with itself.
void append_fraction(std::string& out, std::int64_t mtime) {
    const bool is_negative = mtime < 0;
    const std::uint64_t value =
        is_negative ? ~static_cast<std::uint64_t>(mtime) + 1 : static_cast<std::uint64_t>(mtime);
    const std::string field =
        fmt::format(" mtime={}{}.{:09}\n", is_negative ? "-" : "", value / kSecond, value % kSecond);
    std::size_t length = field.size() + 1;
    while (std::to_string(length).size() + field.size() != length)
        ++length;
    const std::string record = std::to_string(length) + field;
    append_block(out, Block{.name = "PaxHeaders/x", .type = 'x', .size = record.size()});
    out += record;
    append_tar_padding(out, record.size());
}

} // namespace

void append_tar_header(std::string& out, const TarMember& member, bool with_fraction) {
    const bool is_folder = member.type == TarMember::Type::folder;
    const std::string name = is_folder ? member.path + "/" : member.path;
    if (with_fraction && (member.mtime < 0 || member.mtime % kSecond != 0))
        append_fraction(out, member.mtime);
    // One byte less than fits: some readers want the zero at the end.
    if (member.link.size() >= sizeof Header::link)
        append_long(out, 'K', member.link);
    if (name.size() >= sizeof Header::name)
        append_long(out, 'L', name);
    Block block;
    block.name = std::string_view(name).substr(0, sizeof Header::name - 1);
    block.type = static_cast<char>(member.type);
    block.size = member.type == TarMember::Type::file ? member.size : 0;
    block.mtime = member.mtime / kSecond;
    block.mode = member.mode;
    block.link = std::string_view(member.link).substr(0, sizeof Header::link - 1);
    append_block(out, block);
}

void append_tar_padding(std::string& out, std::uint64_t size) {
    out.append((kBlock - size % kBlock) % kBlock, '\0');
}

void append_tar_end(std::string& out) {
    out.append(2 * kBlock, '\0');
}

void append_tar_file(std::string& out, const std::string& path, std::string_view content) {
    TarMember member;
    member.path = path;
    member.size = content.size();
    member.mode = 0600;
    append_tar_header(out, member, false);
    out.append(content);
    append_tar_padding(out, content.size());
}

} // namespace podsmith
