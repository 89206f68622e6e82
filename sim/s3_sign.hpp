#pragma once
#include "sim/router.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace podsmith::sim {

/// The key that an account's S3 calls are signed with.
struct S3Key {
    std::string access; ///< "user_..."
    std::string secret; ///< "rps_..."
};

/// An answer in S3's XML.
Response s3_error(int status, const std::string& code, const std::string& message);

/// Checks Amazon's Signature Version 4 in the Authorization header, and the body's hash: what is wrong, or
/// nothing. `region` is the data center that the endpoint belongs to, in any case; the clock may be off by an
/// hour. Signed addresses and signed chunks are not taken.
std::optional<Response> s3_refusal(const Request& request, const S3Key& key, const std::string& region,
                                   double now);

std::string md5_hex(std::string_view bytes);
std::string md5_raw(std::string_view bytes);
std::string hex_text(std::string_view bytes);

} // namespace podsmith::sim
