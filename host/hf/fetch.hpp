#pragma once
#include "hf/cache.hpp"
#include "hf/client.hpp"
#include "hf/partial_file.hpp"
#include "hf/progress.hpp"

#include <memory>
#include <string>
#include <vector>

namespace podsmith::hf {

/// Where the files of one download come from and go to.
struct Source {
    std::shared_ptr<Client> client;
    std::string type, id, commit;
    std::shared_ptr<Store> store;
    std::shared_ptr<Progress> progress;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_found = 0; ///< in parts that an earlier process left
};

/// Brings these files, several at once, each checked before it gets its name. Errors as for download.
Async<void> fetch_all(std::shared_ptr<Source> source, std::vector<RemoteFile> files);

} // namespace podsmith::hf
