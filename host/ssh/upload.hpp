#pragma once
#include "ssh/session.hpp"

#include <cstdint>
#include <string>

namespace podsmith::ssh {

/// The command that receives `size` bytes on stdin and puts them at `path`; `tag` makes its temporary name
/// unique. Error{invalid} for a path that names no file.
Result<std::string> upload_command(const std::string& path, unsigned mode, std::uint64_t size,
                                   const std::string& tag);

/// Session::upload and upload_file, over any session. `size` bytes must come from `next`, which gives pieces
/// and then "".
Async<void> upload_pieces(net::Loop& loop, std::shared_ptr<Session> session, std::string name,
                          std::string path, unsigned mode, std::uint64_t size,
                          std::function<Result<std::string>()> next);

} // namespace podsmith::ssh
