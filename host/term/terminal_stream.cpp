#include "term/terminal_stream.hpp"

#include "term/terminal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace podsmith::term {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t kPiece = 64 * 1024;

// Other settings for a terminal while this lives. The last one is known to restore_terminal.
class Settings {
public:
    Settings(int descriptor, void (*change)(termios&)) : descriptor_(::dup(descriptor)) {
        if (::tcgetattr(descriptor_, &before_) != 0)
            return;
        termios now = before_;
        change(now);
        is_changed_ = ::tcsetattr(descriptor_, TCSADRAIN, &now) == 0;
        if (is_changed_)
            outer_ = std::exchange(latest, this);
    }
    ~Settings() {
        restore();
        ::close(descriptor_);
    }
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    void restore() {
        if (!std::exchange(is_changed_, false))
            return;
        latest = outer_;
        ::tcsetattr(descriptor_, TCSADRAIN, &before_);
    }

    static inline Settings* latest = nullptr;

private:
    int descriptor_;
    termios before_{};
    bool is_changed_ = false;
    Settings* outer_ = nullptr;
};

bool is_regular(int descriptor) {
    struct stat facts {};
    return ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
}

struct State : std::enable_shared_from_this<State> {
    explicit State(net::Loop& loop) : signals(loop.context()), changed(loop.executor()) {
        changed.expires_at(asio::steady_timer::time_point::max());
    }
    std::unique_ptr<Descriptor> input; // none for a file: epoll takes none, and it never blocks
    asio::signal_set signals;
    asio::steady_timer changed;
    std::unique_ptr<Settings> settings;
    bool is_readable = false;
    bool is_waiting = false;
    bool is_resized = false;
    bool is_closed = false;

    void watch_input() {
        if (!input) {
            is_readable = true;
        } else if (!is_readable && !std::exchange(is_waiting, true)) {
            input->async_wait(Descriptor::wait_read,
                              [self = shared_from_this()](boost::system::error_code code) {
                                  self->is_waiting = false;
                                  self->is_readable = !code;
                                  self->changed.cancel();
                              });
        }
    }
    void watch_size() {
        signals.async_wait([weak = weak_from_this()](boost::system::error_code code, int) {
            const auto self = weak.lock();
            if (code || !self || self->is_closed)
                return;
            self->is_resized = true;
            self->changed.cancel();
            self->watch_size();
        });
    }
    void close() {
        if (std::exchange(is_closed, true))
            return;
        settings.reset();
        boost::system::error_code ignored;
        signals.cancel(ignored);
        input.reset();
        changed.cancel();
    }
};

net::Async<TerminalStream::Event> read_event(std::shared_ptr<State> state) {
    using Event = TerminalStream::Event;
    Event event; // named: g++ 12 and aggregates that own a string
    for (;;) {
        if (state->is_closed)
            co_return event;
        if (std::exchange(state->is_resized, false)) {
            event.what = Event::What::resized;
            co_return event;
        }
        state->watch_input();
        if (std::exchange(state->is_readable, false)) {
            std::string data(kPiece, '\0');
            const ssize_t count = ::read(STDIN_FILENO, data.data(), data.size());
            if (count < 0 && (errno == EINTR || errno == EAGAIN))
                continue;
            if (count <= 0)
                co_return event;
            data.resize(static_cast<std::size_t>(count));
            event.what = Event::What::data;
            event.data = std::move(data);
            co_return event;
        }
        co_await state->changed.async_wait(asio::as_tuple(asio::use_awaitable));
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
    }
}

class Stream final : public TerminalStream {
public:
    explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}
    ~Stream() override { state_->close(); }
    net::Async<Event> read() override { return read_event(state_); }
    void close() override { state_->close(); }

private:
    std::shared_ptr<State> state_;
};

struct File {
    int descriptor;
    ~File() {
        if (descriptor >= 0)
            ::close(descriptor);
    }
};

void hide_typing(termios& now) {
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
}

} // namespace

Size size_of(int descriptor) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return {};
    return {size.ws_col, size.ws_row};
}

std::unique_ptr<TerminalStream> TerminalStream::open(net::Loop& loop, bool raw) {
    auto state = std::make_shared<State>(loop);
    if (!is_regular(STDIN_FILENO))
        state->input = std::make_unique<Descriptor>(loop.context(), ::dup(STDIN_FILENO));
    if (raw && is_terminal(STDIN_FILENO)) {
        boost::system::error_code ignored;
        state->signals.add(SIGWINCH, ignored);
        state->watch_size();
        state->settings = std::make_unique<Settings>(STDIN_FILENO, [](termios& now) { ::cfmakeraw(&now); });
    }
    return std::make_unique<Stream>(std::move(state));
}

void restore_terminal() {
    while (Settings::latest)
        Settings::latest->restore();
}

net::Async<Secret> ask_secret(net::Loop& loop, std::string prompt) {
    const File terminal{::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (terminal.descriptor < 0)
        co_return fail(Kind::unsupported, "there is no terminal to ask on");
    const Settings hidden(terminal.descriptor, hide_typing);
    Descriptor input(loop.context(), ::dup(terminal.descriptor));
    const auto say = [&](const std::string& text) {
        return ::write(terminal.descriptor, text.data(), text.size()) >= 0;
    };
    say(prompt);
    std::string line;
    while (!line.ends_with('\n')) {
        co_await input.async_wait(Descriptor::wait_read, asio::use_awaitable);
        char bytes[1024];
        const ssize_t count = ::read(terminal.descriptor, bytes, sizeof bytes);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (count <= 0) {
            wipe(line);
            say("\n");
            co_return fail(Kind::cancelled, "nothing was typed");
        }
        line.append(bytes, static_cast<std::size_t>(count));
        explicit_bzero(bytes, sizeof bytes);
    }
    say("\n");
    line.pop_back();
    Secret secret(line, "passphrase");
    wipe(line);
    co_return secret;
}

} // namespace podsmith::term
