#include "ssh/upload.hpp"

#include "base/text.hpp"
#include "ssh/feed.hpp"

#include <fmt/format.h>

namespace podsmith::ssh {
namespace {

// "~/x" means the same as "x" to a fresh login; a leading "-" must not look like an option.
std::string plain_path(const std::string& path) {
    std::string plain = path.starts_with("~/") ? path.substr(2) : path;
    if (!plain.starts_with('/'))
        plain = "./" + plain;
    return plain;
}

} // namespace

Result<std::string> upload_command(const std::string& path, unsigned mode, std::uint64_t size,
                                   const std::string& tag) {
    if (path.empty() || path.ends_with('/') || path.find('\0') != std::string::npos)
        return fail(Kind::invalid, fmt::format("upload to \"{}\": that names no file", path),
                    "give the whole path, with the file's name at the end");
    const std::string target = plain_path(path);
    const std::string folder = target.substr(0, target.rfind('/'));
    const std::string partial = target + ".podsmith-" + tag;
    // The size is compared because the end of the input also comes when the connection breaks: half a file
    // must not take the place of a whole one.
    const std::string script = fmt::format(
        "t={target}; p={partial}; if [ -d \"$t\" ]; then echo \"it is a folder\" >&2; exit 1; fi; "
        "{mkdir}umask 077; "
        "cat > \"$p\" && if [ \"$(wc -c < \"$p\")\" -ne {size} ]; then echo \"only a part of it arrived\" "
        ">&2; false; "
        "fi && chmod {mode:04o} \"$p\" && mv -f \"$p\" \"$t\" || {{ s=$?; rm -f \"$p\"; exit $s; }}",
        fmt::arg("target", shell_quote(target)), fmt::arg("partial", shell_quote(partial)),
        fmt::arg("mkdir", folder.empty() ? "" : fmt::format("mkdir -p {} || exit; ", shell_quote(folder))),
        fmt::arg("size", size), fmt::arg("mode", mode & 07777));
    return "exec sh -c " + shell_quote(script);
}

Async<void> upload_pieces(net::Loop& loop, std::shared_ptr<Session> session, std::string name,
                          std::string path, unsigned mode, std::uint64_t size,
                          std::function<Result<std::string>()> next) {
    const std::string doing = fmt::format("upload to {} on {}", path, name);
    Result<std::string> command = upload_command(path, mode, size, loop.system().random_tag(8));
    if (!command)
        co_return fail(command.error());
    Async<ExecResult> feeding = feed(loop, session, std::move(*command), std::move(next));
    Result<ExecResult> result = co_await std::move(feeding);
    if (!result)
        co_return fail(result.error().in(doing));
    if (result->exit.code != 0)
        co_return fail(remote_failure(doing, result->exit, result->err));
    co_return Result<void>();
}

} // namespace podsmith::ssh
