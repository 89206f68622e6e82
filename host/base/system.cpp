#include "base/system.hpp"

#include "base/descriptor.hpp"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace podsmith {
namespace {

double read_clock(clockid_t id) {
    timespec now{};
    clock_gettime(id, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

tl::unexpected<Error> io_error(const char* verb, const std::filesystem::path& path) {
    const int code = errno;
    std::string hint;
    if (code == ENOSPC || code == EDQUOT)
        hint = "free some disk space, or point PODSMITH_STATE at a folder with room";
    else if (code == EACCES || code == EROFS || code == EPERM)
        hint = "check who owns the folder and whether it is writable";
    return fail(code == ENOENT ? Kind::not_found : Kind::io,
                fmt::format("{} {}: {}", verb, path.string(), std::strerror(code)), std::move(hint));
}

} // namespace

double System::utc() const {
    return read_clock(CLOCK_REALTIME);
}
double System::monotonic() const {
    return read_clock(CLOCK_BOOTTIME);
}

std::optional<std::string> System::env(const std::string& name) const {
    if (const auto found = overlay_.find(name); found != overlay_.end())
        return found->second;
    const char* value = std::getenv(name.c_str());
    if (!value)
        return std::nullopt;
    return std::string(value);
}

std::filesystem::path System::home() const {
    if (auto value = env("HOME"); value && !value->empty())
        return *value;
    if (const passwd* entry = ::getpwuid(::getuid()))
        return entry->pw_dir;
    return "/";
}

std::string System::random_tag(std::size_t count) const {
    constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string tag;
    while (tag.size() < count) {
        unsigned char byte = 0;
        if (::getrandom(&byte, 1, 0) != 1)
            continue;
        if (byte < 252) // 7 * 36: keeps every letter equally likely
            tag += kLetters[byte % 36];
    }
    return tag;
}

std::filesystem::path System::state_dir() const {
    if (auto value = env("PODSMITH_STATE"); value && !value->empty())
        return expand(*value);
    if (auto value = env("XDG_STATE_HOME"); value && !value->empty())
        return std::filesystem::path(*value) / "podsmith";
    return home() / ".local/state/podsmith";
}

std::filesystem::path System::expand(const std::string& path) const {
    if (path == "~")
        return home();
    if (path.starts_with("~/"))
        return home() / path.substr(2);
    return path;
}

std::string utc_text(double seconds) {
    const auto whole = static_cast<std::time_t>(std::floor(seconds));
    std::tm parts{};
    gmtime_r(&whole, &parts);
    char buffer[32];
    std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return buffer;
}

std::optional<double> utc_from(const std::string& text) {
    std::tm parts{};
    const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest)
        return std::nullopt;
    double fraction = 0;
    if (*rest == '.') {
        char* end = nullptr;
        fraction = std::strtod(rest, &end);
        rest = end;
    }
    if (std::string(rest) != "Z")
        return std::nullopt;
    return static_cast<double>(timegm(&parts)) + fraction;
}

Result<std::string> read_file(const std::filesystem::path& path) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.get() < 0)
        return io_error("read", path);
    std::string content;
    std::vector<char> buffer(1 << 16);
    for (;;) {
        const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error("read", path);
        if (n == 0)
            return content;
        content.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

Result<void> write_file(const std::filesystem::path& path, const std::string& content, unsigned mode) {
    std::error_code ignored;
    const auto folder = path.parent_path();
    if (!folder.empty() && !std::filesystem::exists(folder, ignored)) {
        std::filesystem::create_directories(folder, ignored);
        ::chmod(folder.c_str(), 0700);
    }
    const std::filesystem::path partial = path.string() + ".partial-" + std::to_string(::getpid());
    {
        const Descriptor file{::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)};
        if (file.get() < 0)
            return io_error("write", path);
        ::fchmod(file.get(), mode);
        std::size_t done = 0;
        while (done < content.size()) {
            const ssize_t n = ::write(file.get(), content.data() + done, content.size() - done);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0) {
                auto error = io_error("write", path);
                ::unlink(partial.c_str());
                return error;
            }
            done += static_cast<std::size_t>(n);
        }
        if (::fsync(file.get()) != 0) {
            auto error = io_error("write", path);
            ::unlink(partial.c_str());
            return error;
        }
    }
    if (::rename(partial.c_str(), path.c_str()) != 0) {
        auto error = io_error("write", path);
        ::unlink(partial.c_str());
        return error;
    }
    return {};
}

} // namespace podsmith
