#pragma once
#include "base/error.hpp"

#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace podsmith::sim {

/// A child with two pipes. The caller owns the descriptors (close-on-exec) and must reap the pid.
struct Spawned {
    pid_t pid = -1;
    int control = -1; ///< write end of its stdin
    int output = -1;  ///< read end of its stdout and stderr
};

/// Starts argv[0] (an absolute path) in a session of its own, with exactly this environment and no other
/// descriptor of ours. The child's "parent" in the sense of die-with-parent is the calling thread. Kind io.
Result<Spawned> spawn(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env);

/// The program's path on PATH or in the sbin folders, or "".
std::string find_program(const std::string& name);

/// A loopback port that nobody listens on and that this process has not handed out and still holds.
/// Kind io when none is found.
Result<int> reserve_port();
void release_port(int port);

} // namespace podsmith::sim
