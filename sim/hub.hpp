#pragma once
#include "net/loop.hpp"
#include "sim/router.hpp"

#include <cstdint>
#include <filesystem>
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
    int api_quota = 0;                     ///< API calls in five minutes before 429; 0: never
};

/// Sets one option from "NAME=VALUE" (`podsmith sim --hub`): page_size, chunk_size, verify, api_quota. Kind
/// invalid names the options there are.
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
    const std::string& read_token() const;
    /// What is stored, for tests in the same process.
    HubStore& store();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace podsmith::sim
