#include "dataset/tar_reader.hpp"

#include "dataset/files.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <zlib.h>

namespace podsmith::dataset {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 256u << 10;
constexpr std::uint64_t kLongestText = 64u << 10; // of a long name or a pax header
constexpr std::uint64_t kLargestMember = 1ull << 50;

std::string_view field(std::string_view header, std::size_t offset, std::size_t size) {
    const std::string_view bytes = header.substr(offset, size);
    return bytes.substr(0, bytes.find('\0'));
}

/// A number in octal digits, or in GNU's binary form; nullopt when it is none or makes no sense.
std::optional<std::uint64_t> number(std::string_view header, std::size_t offset, std::size_t size) {
    const std::string_view bytes = header.substr(offset, size);
    std::uint64_t value = 0;
    if ((static_cast<unsigned char>(bytes[0]) & 0x80) != 0) {
        for (std::size_t i = 0; i < size; ++i) {
            const auto byte = static_cast<unsigned char>(i == 0 ? bytes[0] & 0x7f : bytes[i]);
            if (value >> 55 != 0)
                return std::nullopt;
            value = value << 8 | byte;
        }
        return value <= kLargestMember ? std::optional(value) : std::nullopt;
    }
    for (const char c : bytes) {
        if (c >= '0' && c <= '7')
            value = value << 3 | static_cast<unsigned>(c - '0');
        else if (c != ' ' && c != '\0')
            return std::nullopt;
    }
    return value <= kLargestMember ? std::optional(value) : std::nullopt;
}

bool is_sum_right(std::string_view header) {
    const auto wanted = number(header, 148, 8);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
    return wanted && *wanted == sum;
}

/// What a member is that no dataset holds; "" for files, folders and headers of members to come.
std::string_view refused_kind(char type) {
    switch (type) {
    case '\0':
    case '0':
    case '5':
    case 'L':
    case 'K':
    case 'x':
    case 'g':
        return {};
    case '1':
    case '2':
        return "a link";
    case '3':
    case '4':
        return "a device";
    case '6':
        return "a pipe";
    case 'S':
        return "a sparse file";
    default:
        return "of an unknown kind";
    }
}

bool is_zero(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

/// A name in a message: no control characters, not too long.
std::string shown(std::string_view path) {
    std::string text;
    for (const char c : path.substr(0, 200))
        text += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
    return text;
}

} // namespace

tl::unexpected<Error> archive_error(std::string_view archive, std::string_view what) {
    return fail(Kind::protocol, fmt::format("{}: {}", archive, what),
                "the archive is damaged or not what its manifest says: nothing of it was kept; publish the "
                "version again");
}

// ---- gzip
// ------------------------------------------------------------------------------------------------------

struct GzipReader::State {
    Descriptor file;
    std::string name;
    z_stream stream{};
    std::string input = std::string(kPiece, '\0');
    std::uint64_t offset = 0;
    bool is_in_member = false;
    bool has_member = false; ///< one has been read to its end

    /// False at the end of the file.
    Result<bool> refill() {
        if (stream.avail_in > 0)
            return true;
        const Result<std::size_t> count = read_at(file.get(), offset, input.data(), input.size(), name);
        if (!count)
            return fail(count.error());
        offset += *count;
        stream.next_in = reinterpret_cast<Bytef*>(input.data());
        stream.avail_in = static_cast<uInt>(*count);
        return *count > 0;
    }
};

GzipReader::GzipReader(Descriptor file, std::string name) : state_(std::make_unique<State>()) {
    state_->file = std::move(file);
    state_->name = std::move(name);
    if (inflateInit2(&state_->stream, MAX_WBITS + 16) != Z_OK) // 16: gzip, and nothing else
        throw std::bad_alloc();
}

GzipReader::~GzipReader() {
    inflateEnd(&state_->stream);
}

Result<std::size_t> GzipReader::read(char* to, std::size_t count) {
    State& state = *state_;
    state.stream.next_out = reinterpret_cast<Bytef*>(to);
    state.stream.avail_out = static_cast<uInt>(count);
    while (state.stream.avail_out > 0) {
        const Result<bool> has_input = state.refill();
        if (!has_input)
            return fail(has_input.error());
        if (!*has_input) {
            if (state.is_in_member || !state.has_member)
                return archive_error(state.name, "is cut short");
            break;
        }
        if (!state.is_in_member) {
            inflateReset(&state.stream);
            state.is_in_member = true;
        }
        const int code = inflate(&state.stream, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            state.is_in_member = false;
            state.has_member = true;
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            return archive_error(state.name,
                                 fmt::format("is no whole gzip file ({})",
                                             state.stream.msg ? state.stream.msg : "no reason given"));
        }
    }
    return count - state.stream.avail_out;
}

// ---- tar
// -------------------------------------------------------------------------------------------------------

struct TarReader::Extended {
    std::optional<std::string> path;
    std::optional<std::uint64_t> size;
};

Result<std::optional<TarReader::Member>> TarReader::next() {
    Extended extended;
    while (true) {
        if (const Result<void> skipped = skip(left_ + padding_); !skipped)
            return fail(skipped.error());
        left_ = padding_ = 0;
        char header[kBlock];
        const Result<std::size_t> count = source_.read(header, kBlock);
        if (!count)
            return fail(count.error());
        if (*count < kBlock)
            return archive_error(name_, "is cut short: its end mark is missing");
        const std::string_view block(header, kBlock);
        if (is_zero(block)) {
            if (const Result<void> ended = read_end(); !ended)
                return fail(ended.error());
            return std::optional<Member>();
        }
        const auto size = number(block, 124, 12);
        if (!is_sum_right(block) || !size)
            return archive_error(name_, "has a damaged header");
        const char type = block[156];
        if (const std::string_view kind = refused_kind(type); !kind.empty())
            return archive_error(
                name_, fmt::format("{} is {}; a dataset holds files and folders only",
                                   shown(extended.path.value_or(std::string(field(block, 0, 100)))), kind));
        if (type != 'L' && type != 'K' && type != 'x' && type != 'g') {
            Result<Member> member = member_from(block, type, *size, extended);
            if (!member)
                return fail(member.error());
            return std::optional(std::move(*member));
        }
        Result<std::string> text = read_text(*size, type == 'x' || type == 'g' ? "pax header" : "long name");
        if (!text)
            return fail(text.error());
        if (type == 'L')
            extended.path = text->substr(0, text->find('\0'));
        if (type == 'x')
            if (const Result<void> read = read_pax(*text, extended); !read)
                return fail(read.error());
    }
}

Result<TarReader::Member> TarReader::member_from(std::string_view header, char type, std::uint64_t size,
                                                 Extended& extended) {
    Member member;
    member.path = std::string(field(header, 0, 100));
    if (header.substr(257, 5) == "ustar" && header.substr(257, 8) != std::string_view("ustar  \0", 8))
        if (const std::string_view prefix = field(header, 345, 155); !prefix.empty())
            member.path = fmt::format("{}/{}", prefix, member.path);
    if (extended.path)
        member.path = *extended.path;
    member.is_folder = type == '5' || member.path.ends_with('/'); // the second as tar wrote it before ustar
    while (member.path.size() > 1 && member.path.ends_with('/'))
        member.path.pop_back();
    member.size = member.is_folder ? 0 : extended.size.value_or(size);
    left_ = member.is_folder ? size : member.size;
    padding_ = (kBlock - left_ % kBlock) % kBlock;
    return member;
}

Result<void> TarReader::content(const std::function<Result<void>(std::string_view)>& use) {
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, left_)), '\0');
    while (left_ > 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left_));
        const Result<std::size_t> count = source_.read(piece.data(), wanted);
        if (!count)
            return fail(count.error());
        if (*count < wanted)
            return archive_error(name_, "is cut short");
        left_ -= wanted;
        if (const Result<void> used = use(std::string_view(piece).substr(0, wanted)); !used)
            return used;
    }
    return {};
}

Result<void> TarReader::skip(std::uint64_t count) {
    left_ = count;
    return content([](std::string_view) { return Result<void>(); });
}

Result<std::string> TarReader::read_text(std::uint64_t size, std::string_view what) {
    if (size > kLongestText)
        return archive_error(name_, fmt::format("has a {} of {} bytes", what, size));
    std::string text;
    left_ = size;
    const Result<void> read = content([&](std::string_view bytes) {
        text += bytes;
        return Result<void>();
    });
    if (!read)
        return fail(read.error());
    padding_ = (kBlock - size % kBlock) % kBlock;
    return text;
}

/// "LENGTH key=value\n" after one another, the length with itself.
Result<void> TarReader::read_pax(std::string_view records, Extended& extended) const {
    while (!records.empty()) {
        std::size_t length = 0;
        const auto parsed = std::from_chars(records.data(), records.data() + records.size(), length);
        const auto digits = static_cast<std::size_t>(parsed.ptr - records.data());
        if (parsed.ec != std::errc() || length <= digits + 1 || length > records.size() ||
            records[length - 1] != '\n' || records[digits] != ' ')
            return archive_error(name_, "has a damaged pax header");
        const std::string_view record = records.substr(digits + 1, length - digits - 2);
        records.remove_prefix(length);
        const std::size_t equals = record.find('=');
        const std::string_view key = record.substr(0, equals);
        const std::string_view value = equals == std::string_view::npos ? "" : record.substr(equals + 1);
        if (key == "path")
            extended.path = std::string(value);
        if (key == "size") {
            std::uint64_t size = 0;
            const auto read = std::from_chars(value.data(), value.data() + value.size(), size);
            if (read.ec != std::errc() || read.ptr != value.data() + value.size() || size > kLargestMember)
                return archive_error(name_, "has a damaged pax header");
            extended.size = size;
        }
        if (key.starts_with("GNU.sparse."))
            return archive_error(name_, "holds a sparse file; a dataset holds plain ones only");
    }
    return {};
}

Result<void> TarReader::read_end() {
    std::string rest(kPiece, '\0');
    while (true) {
        const Result<std::size_t> count = source_.read(rest.data(), rest.size());
        if (!count)
            return fail(count.error());
        if (!is_zero(std::string_view(rest).substr(0, *count)))
            return archive_error(name_, "has data behind its end mark");
        if (*count < rest.size())
            return {};
    }
}

} // namespace podsmith::dataset
