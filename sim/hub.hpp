#pragma once
#include "net/loop.hpp"
#include "sim/router.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace podsmith::sim {

struct HubStore;

/// What the Hub is told when it is made.
struct HubOptions {
    std::string token;           ///< of `user`, role write
    std::string read_token = {}; ///< of `user`, role read; empty: a random one is made
    std::string user = "sim-user";
    std::filesystem::path dir;             ///< large files are kept below it
    std::size_t page_size = 1000;          ///< entries on one page of a tree
    std::uint64_t chunk_size = 16'000'000; ///< an upload larger than this is multipart, in parts of this size
    bool verify = true;                    ///< LFS uploads are to be confirmed by a verify call
    bool check_sha256 = true;              ///< uploads are hashed; off: believed (for speed tests)
    bool part_etag = true;                 ///< the storage service answers a PUT with an ETag
    bool direct = false;                   ///< regular files come at once, without the 307 to the cache
    bool ranges = true;                    ///< the storage service knows Range
    int url_seconds = 3600;                ///< how long a signed address is good
    int batch_error = 0;                   ///< code that each object of an upload batch fails with; 0: none
    int api_quota = 0, resolver_quota = 0; ///< calls of a user in five minutes before 429; 0: never
    int race = 0;                          ///< so many commits meet somebody else's that came just before
    std::string expired_token;             ///< name of a token that is refused from now on
};

/// Sets one option from "NAME=VALUE" (`podsmith sim --hub`, POST /_sim/hub). Kind invalid names the options
/// there are.
Result<void> set_hub_option(HubOptions& options, const std::string& setting);

/// A local Hugging Face Hub: accounts, models, datasets, commits and large files, as a real client sees them.
/// Regular files live in memory, large ones below HubOptions::dir. Large seeded files have a size and a
/// header but no bytes: what is read past the header is zeros.
class Hub {
public:
    Hub(net::Loop& loop, HubOptions options);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Adds all of the Hub's routes, and its answer to unknown paths. The routes keep what they need alive.
    void add_routes(Router& router);
    /// Adds the routes below /_sim/hub, for tests: state, settings while it runs, addresses that expire.
    void add_control_routes(Router& control);
    /// Whether a request's body is to be streamed (Server::stream_bodies): the storage service's are.
    static bool is_streamed(const Request& request);
    const std::string& read_token() const;
    /// Tokens besides HubOptions::token, by the variable that hands each to clients.
    std::map<std::string, std::string> tokens() const;
    /// What is stored, for tests in the same process.
    HubStore& store();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace podsmith::sim
