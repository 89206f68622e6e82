#include "s3/hash.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <memory>
#include <openssl/evp.h>

namespace podsmith::s3 {
namespace {

constexpr std::size_t kPiece = 1u << 20;

class Digest {
public:
    explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free), kind_(kind) {
        begin();
    }
    void begin() { EVP_DigestInit_ex(context_.get(), kind_, nullptr); }
    void update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
    /// The raw bytes; the next update begins anew.
    std::string take() {
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), bytes, &size);
        begin();
        return {reinterpret_cast<const char*>(bytes), size};
    }

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
    const EVP_MD* kind_;
};

/// Hands over the slice piece by piece; no length means to the end.
Result<void> read_pieces(const Slice& slice, bool to_end, const std::function<void(std::string_view)>& take) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(slice.path.c_str(), "rbe"),
                                                               std::fclose);
    if (!file || fseeko(file.get(), static_cast<off_t>(slice.offset), SEEK_SET) != 0)
        return fail(errno == ENOENT ? Kind::not_found : Kind::io,
                    fmt::format("read {}: {}", slice.path, std::strerror(errno)));
    std::string piece(kPiece, '\0');
    for (std::uint64_t left = slice.length; to_end || left > 0;) {
        const std::size_t wanted =
            to_end ? kPiece : static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece));
        const std::size_t got = std::fread(piece.data(), 1, wanted, file.get());
        if (got == 0 && std::ferror(file.get()))
            return fail(Kind::io, fmt::format("read {}: {}", slice.path, std::strerror(errno)));
        if (got == 0 && to_end)
            return {};
        if (got == 0)
            return fail(Kind::io, fmt::format("read {}: it has become shorter meanwhile", slice.path));
        take(std::string_view(piece.data(), got));
        left -= to_end ? 0 : got;
    }
    return {};
}

} // namespace

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes)
        out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

Result<Hashes> hashes_of(const Slice& slice) {
    Digest md5(EVP_md5()), sha256(EVP_sha256());
    const auto read = read_pieces(slice, false, [&](std::string_view bytes) {
        md5.update(bytes);
        sha256.update(bytes);
    });
    if (!read)
        return fail(read.error());
    return Hashes{hex(md5.take()), hex(sha256.take())};
}

Result<LocalTags> tags_of(const std::string& path, std::uint64_t part_size) {
    Digest whole(EVP_md5()), part(EVP_md5()), all(EVP_md5());
    LocalTags tags;
    std::uint64_t in_part = 0;
    const auto end_part = [&] {
        const std::string raw = part.take();
        all.update(raw);
        tags.parts.push_back(hex(raw));
        in_part = 0;
    };
    const auto read = read_pieces({path, 0, 0}, true, [&](std::string_view bytes) {
        whole.update(bytes);
        while (!bytes.empty()) {
            const auto count =
                static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), part_size - in_part));
            part.update(bytes.substr(0, count));
            in_part += count;
            bytes.remove_prefix(count);
            if (in_part == part_size)
                end_part();
        }
    });
    if (!read)
        return fail(read.error());
    if (in_part > 0 || tags.parts.empty())
        end_part();
    tags.whole = hex(whole.take());
    tags.composite = fmt::format("{}-{}", hex(all.take()), tags.parts.size());
    return tags;
}

std::string clean_tag(const std::string& etag) {
    std::string tag = lower(etag);
    if (tag.starts_with("w/"))
        tag.erase(0, 2);
    tag.erase(std::remove(tag.begin(), tag.end(), '"'), tag.end());
    const auto dash = tag.find('-');
    const std::string digits = tag.substr(0, dash);
    const std::string count = dash == std::string::npos ? "1" : tag.substr(dash + 1);
    const bool is_good = digits.size() == 32 &&
                         digits.find_first_not_of("0123456789abcdef") == std::string::npos &&
                         !count.empty() && count.find_first_not_of("0123456789") == std::string::npos;
    return is_good ? tag : "";
}

bool is_md5(const std::string& tag) {
    return tag.size() == 32;
}

std::string sha256_hex(std::string_view bytes) {
    Digest digest(EVP_sha256());
    digest.update(bytes);
    return hex(digest.take());
}

} // namespace podsmith::s3
