#pragma once
#include "net/http.hpp"
#include "s3/hash.hpp"
#include "s3/place.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The files of a Runpod network volume through its S3-compatible API, without any pod. What is particular to
/// Runpod: listing goes level by level (a recursive listing repeats its page token for ever), deletion one by
/// one (a batch answers 307), folders show as keys that end in '/', the ETag is the MD5 of the file.
namespace podsmith::s3 {

template <class T>
using Async = net::Async<T>;

struct Object {
    std::string key;
    std::uint64_t size = 0;
    std::string tag;     ///< clean_tag of its ETag
    double modified = 0; ///< seconds since 1970
};

/// What lies directly under a prefix.
struct Level {
    std::vector<Object> objects;      ///< folders' markers left out
    std::vector<std::string> folders; ///< prefixes, each with its slash
    bool has_marker = false;          ///< the prefix itself is there as a folder
};

struct Part {
    int number = 0; ///< from 1
    std::string tag;
    std::uint64_t size = 0;
};

/// How many bytes of a transfer have come; read and written on the loop's thread.
struct Progress {
    std::uint64_t bytes = 0;
};

/// One volume. All calls wait on the loop and fail with the kinds of errors.hpp or of net::Http; they are
/// repeated after a failure as net::Http does. Keys are those of key_of. The client must outlive its calls,
/// and `http` the client.
class Client {
public:
    Client(net::Http& http, Bucket bucket);

    /// What lies directly under `prefix` ("" or with a slash at its end), page after page. A page token that
    /// comes twice means that the service still reckons checksums: the listing begins anew, some times, with
    /// a pause; then kind protocol.
    Async<Level> list(std::string prefix);
    /// The file of that key; nullopt when there is none.
    Async<std::optional<Object>> head(std::string key);
    /// Removes one file or folder's marker; what is gone already is fine.
    Async<void> remove(std::string key);

    /// Sends a slice as the whole file, and checks the hash that comes back. Kind protocol when it differs.
    Async<void> put(std::string key, Slice slice);
    /// Makes an empty folder.
    Async<void> make_folder(std::string key);
    /// Gets the file into `path`: into a part file beside it first, which a later call goes on with as long
    /// as the volume's file is the same; verified (size, and MD5 where the tag is one), then renamed. Goes on
    /// by itself after a broken connection. Kind conflict when the file changes meanwhile.
    Async<void> download(Object object, std::string path, std::shared_ptr<Progress> progress);

    /// An upload in parts: its id, the parts that are there, what is sent, its end. `complete` believes in
    /// success when the answer is lost and the file is there with the upload gone.
    Async<std::string> begin_upload(std::string key);
    Async<std::vector<std::string>> uploads(std::string key);
    Async<std::vector<Part>> parts(std::string key, std::string upload);
    Async<Part> put_part(std::string key, std::string upload, int number, Slice slice);
    Async<void> complete(std::string key, std::string upload, std::vector<Part> parts);
    Async<void> abort(std::string key, std::string upload);

    const Bucket& bucket() const { return bucket_; }

private:
    using Query = std::vector<std::pair<std::string, std::string>>;
    net::HttpRequest request(std::string method, const std::string& key, Query query = {}) const;
    std::string named(const char* verb, const std::string& key) const;
    /// The answer when it is a success.
    Async<net::HttpResponse> call(std::string what, net::HttpRequest request);
    Async<Hashes> hash(Slice slice);
    Async<std::string> send_slice(std::string what, net::HttpRequest request, Slice slice);
    Async<bool> page(std::string prefix, std::string token, std::shared_ptr<Level> level,
                     std::shared_ptr<std::string> next);
    Async<bool> settle(std::string key, std::string upload, std::uint64_t size, Error why);

    net::Http& http_;
    Bucket bucket_;
};

} // namespace podsmith::s3
