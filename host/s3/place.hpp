#pragma once
#include "base/error.hpp"
#include "base/secret.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podsmith::s3 {

/// Where the files of one network volume are, and the keys that open it.
struct Bucket {
    std::string name;     ///< the volume's id
    std::string region;   ///< its data center's id, "EU-RO-1"
    std::string endpoint; ///< "https://s3api-eu-ro-1.runpod.io"; a path at its end is kept
    std::string access_key;
    Secret secret_key;
};

/// The endpoint of a data center: `pattern` with "{dc}" replaced by the id in lower case. A pattern without
/// it is an address itself; kind invalid when that is Runpod's of another data center.
Result<std::string> endpoint_for(const std::string& pattern, const std::string& data_center);

/// A path on the volume as a key: without the slash in front, and without the folder where pods mount it
/// ("/workspace/", "/runpod-volume/"). A slash at its end stays. Kind invalid: empty or dot parts, control
/// characters, longer than 1024 bytes.
Result<std::string> key_of(const std::string& path);

/// "endpoint/bucket/key?query": path-style, which is all that Runpod takes. Names in order and each with its
/// "=", as signing needs them.
std::string url_of(const Bucket& bucket, const std::string& key,
                   std::vector<std::pair<std::string, std::string>> query = {});

} // namespace podsmith::s3
