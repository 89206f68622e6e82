#pragma once
#include "net/loop.hpp"
#include "ssh/session.hpp"

#include <functional>
#include <string>
#include <vector>

namespace podsmith::sync {

/// What a command of a pull says: content on its output; on its error output hashes, as sha256sum writes
/// them, and whatever goes wrong.
struct StreamHandler {
    std::function<Result<void>(std::string_view)> take;                 ///< content; on the pool
    std::function<Result<void>(const std::vector<std::string>&)> check; ///< hashes; on the pool
    std::function<void(std::size_t)> received;                          ///< bytes of content; on the loop
};

/// Runs `command` with `input` and hands over what it says as it comes. Gives its exit and, in `err`, what
/// was no hash.
net::Async<ssh::ExecResult> read_stream(net::Loop& loop, std::shared_ptr<ssh::Session> session,
                                        std::string command, std::string input, StreamHandler handler);

/// Sends the content of the files whose names it reads (with NUL after each), and their hashes. Packed when
/// what these samples hold, of the same names, shrinks by a third; without samples as it is.
std::string send_files_command(const std::string& target, const std::vector<std::string>& samples);
/// Sends a range of a file, its hash, and "is SIZE SECONDS" of the file after that. In MiB. `may_pack`:
/// packed when its first MiB shrinks by a third.
std::string send_range_command(const std::string& target, const std::string& path, std::uint64_t offset,
                               std::uint64_t count, bool may_pack);

} // namespace podsmith::sync
