#pragma once
#include "net/loop.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::term {

/// Reads lines from standard input on the loop: with editing, history and completion on a terminal, plainly
/// from a pipe or file. One at a time; other tasks go on while it waits.
class LineReader {
public:
    explicit LineReader(net::Loop& loop);
    ~LineReader();
    LineReader(const LineReader&) = delete;
    LineReader& operator=(const LineReader&) = delete;

    /// Waits for a line (without its end); nullopt at end of input. Cancelling it discards what was typed.
    net::Async<std::optional<std::string>> read(std::string prompt);
    /// Completions for the word before the cursor; called on the loop while a line is edited.
    void set_completer(std::function<std::vector<std::string>(const std::string& line)> completer);
    /// Loads history from the file, and keeps it there (0600) from now on.
    void use_history(std::filesystem::path file);
    void add_history(const std::string& line);
    /// Writes text above the line being edited and shows the line again.
    void print_above(const std::string& text);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace podsmith::term
