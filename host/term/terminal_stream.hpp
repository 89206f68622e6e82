#pragma once
#include "base/secret.hpp"
#include "net/loop.hpp"

#include <memory>
#include <string>

namespace podsmith::term {

struct Size {
    int columns = 80;
    int rows = 24;
};
/// Of a terminal; 80 by 24 where there is none.
Size size_of(int descriptor);

/// Standard input as bytes, for a program on the other side. On a terminal it is raw (no echo, no signals by
/// keys) from the first to the last moment of this object, which also notices new window sizes. One at a
/// time.
class TerminalStream {
public:
    struct Event {
        enum class What { data, resized, ended };
        What what = What::ended;
        std::string data; ///< never empty with What::data
    };

    /// `raw` has an effect only when standard input is a terminal.
    static std::unique_ptr<TerminalStream> open(net::Loop& loop, bool raw);
    virtual ~TerminalStream() = default;

    /// Waits for bytes, a new size or the end of input. One reader at a time.
    virtual net::Async<Event> read() = 0;
    /// Puts the terminal back as it was; reads end.
    virtual void close() = 0;
};

/// Puts a terminal that is raw or does not echo back as it was: for an exit that runs no destructors.
void restore_terminal();

/// Asks on the controlling terminal without echo. Error{unsupported} where there is none; Error{cancelled} at
/// its end.
net::Async<Secret> ask_secret(net::Loop& loop, std::string prompt);

} // namespace podsmith::term
