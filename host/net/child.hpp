#pragma once
#include "net/loop.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::net {

/// A local child process. It is in a session of its own, so Ctrl-C at the terminal does not reach it, and it
/// is killed when this object goes.
class Child {
public:
    /// Starts argv[0] (a path, or a name on PATH). Its stdin is the read end of a pipe that we hold open (so
    /// it can see our death as end of file), its stdout comes to `read`, its stderr goes to ours.
    static Result<std::unique_ptr<Child>> start(Loop& loop, std::vector<std::string> argv);
    virtual ~Child() = default;

    /// The next piece of its stdout; nullopt at the end. One reader at a time.
    virtual Async<std::optional<std::string>> read() = 0;
    /// Waits for its end: the exit code, or 128 + the signal.
    virtual Async<int> wait() = 0;
    virtual void kill(int signal) = 0;
};

} // namespace podsmith::net
