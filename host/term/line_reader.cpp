#include "term/line_reader.hpp"

#include "base/secret.hpp"
#include "term/terminal.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <editline/readline.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::term {
namespace {

constexpr int kHistoryLines = 2000;

} // namespace

struct LineReader::Impl {
    explicit Impl(net::Loop& l) : loop(l), is_tty(is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO)) {}

    net::Loop& loop;
    bool is_tty;
    bool at_end = false;
    bool is_editing = false;
    std::string buffer; ///< of plain input: bytes after the last line end
    std::optional<std::optional<std::string>> line;
    std::function<std::vector<std::string>(const std::string&)> completer;
    std::vector<std::string> matches;
    std::filesystem::path history_file;
    std::unique_ptr<net::asio::posix::stream_descriptor> input;

    // libedit's callback interface keeps its state in globals, so there is one reader at work at a time.
    static inline Impl* active = nullptr;

    static void on_line(char* text) {
        active->line = text ? std::optional<std::string>(text) : std::nullopt;
        std::free(text);
        active->stop_editing();
    }
    static char** complete(const char* word, int start, int end) {
        if (!active || !active->completer)
            return nullptr;
        active->matches = active->completer(std::string(rl_line_buffer, static_cast<std::size_t>(end)));
        (void)start;
        rl_attempted_completion_over = 1;
        rl_completion_append_character = 0;
        if (active->matches.empty())
            return nullptr;
        return rl_completion_matches(word, next_match);
    }
    static char* next_match(const char*, int state) {
        const auto index = static_cast<std::size_t>(state);
        return index < active->matches.size() ? ::strdup(active->matches[index].c_str()) : nullptr;
    }

    void start_editing(const std::string& prompt) {
        active = this;
        is_editing = true;
        rl_catch_signals = 0;
        rl_attempted_completion_function = complete;
        rl_basic_word_break_characters = " \t\n\"\\'`@$><=;|&{(,";
        rl_callback_handler_install(prompt.c_str(), on_line);
    }
    void stop_editing() {
        if (!std::exchange(is_editing, false))
            return;
        rl_callback_handler_remove();
        active = nullptr;
    }

    bool take_line() {
        const auto end = buffer.find('\n');
        if (end == std::string::npos && !at_end)
            return false;
        if (end == std::string::npos && buffer.empty()) {
            line = std::optional<std::string>();
            return true;
        }
        line = std::optional<std::string>(buffer.substr(0, end));
        buffer.erase(0, end == std::string::npos ? end : end + 1);
        return true;
    }
    void read_some() {
        char bytes[4096];
        const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
        if (n > 0)
            buffer.append(bytes, static_cast<std::size_t>(n));
        else
            at_end = true;
    }
};

LineReader::LineReader(net::Loop& loop) : impl_(std::make_shared<Impl>(loop)) {
    struct stat info {};
    // epoll takes no regular files; those never block.
    if (::fstat(STDIN_FILENO, &info) == 0 && !S_ISREG(info.st_mode))
        impl_->input =
            std::make_unique<net::asio::posix::stream_descriptor>(loop.context(), ::dup(STDIN_FILENO));
}

LineReader::~LineReader() {
    impl_->stop_editing();
}

net::Async<std::optional<std::string>> LineReader::read(std::string prompt) {
    auto impl = impl_;
    impl->line.reset();
    if (impl->is_tty)
        impl->start_editing(prompt);
    struct Guard {
        std::shared_ptr<Impl> impl;
        ~Guard() { impl->stop_editing(); }
    };
    const Guard guard{impl};
    while (!impl->line) {
        if (!impl->is_tty && impl->take_line())
            break;
        if (impl->input)
            co_await impl->input->async_wait(net::asio::posix::stream_descriptor::wait_read,
                                             net::asio::use_awaitable);
        if (impl->is_tty)
            rl_callback_read_char();
        else
            impl->read_some();
    }
    co_return *impl->line;
}

void LineReader::set_completer(std::function<std::vector<std::string>(const std::string&)> completer) {
    impl_->completer = std::move(completer);
}

void LineReader::use_history(std::filesystem::path file) {
    using_history();
    stifle_history(kHistoryLines);
    std::error_code ignored;
    std::filesystem::create_directories(file.parent_path(), ignored);
    read_history(file.c_str());
    impl_->history_file = std::move(file);
}

void LineReader::add_history(const std::string& line) {
    const std::string safe = redact(line);
    ::add_history(safe.c_str());
    if (impl_->history_file.empty())
        return;
    write_history(impl_->history_file.c_str());
    ::chmod(impl_->history_file.c_str(), 0600);
}

void LineReader::print_above(const std::string& text) {
    if (!impl_->is_editing) {
        std::fputs((text + "\n").c_str(), stderr);
        return;
    }
    std::fputs(("\r\033[K" + text + "\n").c_str(), stdout);
    std::fflush(stdout);
    rl_forced_update_display();
}

} // namespace podsmith::term
