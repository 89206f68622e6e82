#pragma once
#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace podsmith::s3 {

/// Bytes of one request's body: a stretch of a local file.
struct Slice {
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

struct Hashes {
    std::string md5, sha256; ///< lower case hexadecimal digits
};

/// Reads the slice once. Blocks (for the pool). Kind io; also when the file is shorter.
Result<Hashes> hashes_of(const Slice& slice);

/// What the ETag of a local file would be: its MD5, and the MD5 over those of its parts with their number
/// ("<hex>-3"), which is what an upload in parts gives.
struct LocalTags {
    std::string whole;
    std::string composite;
    std::vector<std::string> parts;
};

/// Reads the file once. Blocks (for the pool). Kind io.
Result<LocalTags> tags_of(const std::string& path, std::uint64_t part_size);

/// The digits of an ETag, without quotes, in lower case; "" when it is neither an MD5 nor of parts.
std::string clean_tag(const std::string& etag);
/// Whether it is a plain MD5.
bool is_md5(const std::string& tag);

std::string sha256_hex(std::string_view bytes);
/// Bytes as lower case hexadecimal digits.
std::string hex(std::string_view bytes);

} // namespace podsmith::s3
