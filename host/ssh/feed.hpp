#pragma once
#include "ssh/session.hpp"

#include <functional>
#include <string>

namespace podsmith::ssh {

/// Where a command's input comes from: pieces, then "". Called on the pool, one call at a time; it must own
/// what it uses, since a call may still run when the command has gone.
using Source = std::function<Result<std::string>()>;
/// Told on the loop how many bytes were just handed to the connection.
using Sent = std::function<void(std::size_t)>;

/// Runs `command` with what `next` gives as its input (the next piece is made while the last one is sent) and
/// gives what it printed, whatever its exit code. A command that ends before it has read all of it is no
/// error here. Error of `next`, or network.
Async<ExecResult> feed(net::Loop& loop, std::shared_ptr<Session> session, std::string command, Source next,
                       Sent sent = {});

/// All that a running command prints, to its end. Error{invalid} for more than `max_output` bytes.
Async<ExecResult> read_all(Process& process, std::size_t max_output);

/// The error of a command on the other side that failed while doing `doing`: what it said, and a hint where
/// the disk there is full or the rights are missing.
Error remote_failure(const std::string& doing, const Exit& exit, const std::string& said);

} // namespace podsmith::ssh
