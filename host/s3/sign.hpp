#pragma once
#include "net/http.hpp"
#include "s3/place.hpp"

namespace podsmith::s3 {

/// Signs a request by Amazon's Signature Version 4: adds x-amz-date, x-amz-content-sha256 and Authorization.
/// The URL must be that of url_of: encoded once, its query in order. `payload` is the SHA-256 of the body in
/// lower case hexadecimal digits, so that what arrives is what was read. Good for an hour, retries included.
void sign(net::HttpRequest& request, const Bucket& bucket, const std::string& payload, double utc);

} // namespace podsmith::s3
