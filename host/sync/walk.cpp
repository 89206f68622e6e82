#include "sync/walk.hpp"

#include "base/descriptor.hpp"
#include "base/system.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::sync {
namespace {

constexpr const char* kIgnoreFile = ".podsmithignore";

struct FolderCloser {
    void operator()(DIR* folder) const { ::closedir(folder); }
};
using FolderPtr = std::unique_ptr<DIR, FolderCloser>;

tl::unexpected<Error> read_error(const std::string& path) {
    return fail(errno == ENOENT ? Kind::not_found : Kind::io,
                fmt::format("read {}: {}", path, std::strerror(errno)), "check the path and who may read it");
}

const char* special_kind(unsigned mode) {
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

std::string read_link(int folder, const std::string& name, std::size_t size) {
    std::string target(std::max<std::size_t>(size + 1, 256), '\0');
    const ssize_t count = ::readlinkat(folder, name.c_str(), target.data(), target.size());
    target.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return target;
}

Entry entry_from(std::string path, const struct stat& facts) {
    Entry entry;
    entry.path = std::move(path);
    entry.type = S_ISREG(facts.st_mode)   ? Type::file
                 : S_ISDIR(facts.st_mode) ? Type::folder
                 : S_ISLNK(facts.st_mode) ? Type::link
                                          : Type::other;
    entry.size = entry.type == Type::file ? static_cast<std::uint64_t>(facts.st_size) : 0;
    entry.mtime = facts.st_mtim.tv_sec * 1'000'000'000LL + facts.st_mtim.tv_nsec;
    entry.mode = facts.st_mode & 07777;
    return entry;
}

class Walk {
public:
    Walk(std::string root, const IgnoreOptions& options) : root_(std::move(root)) {
        if (options.with_defaults)
            rules_.add(default_ignores());
        for (const std::string& pattern : options.exclude)
            callers_.add(pattern);
        walked_.ignore = rules_;
    }

    Result<Walked> run() {
        Descriptor top(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (top.get() < 0 && errno == ENOTDIR)
            return fail(Kind::invalid, fmt::format("read {}: it is not a folder", root_));
        if (top.get() < 0)
            return read_error(root_);
        if (Result<void> done = folder(std::move(top), ""); !done)
            return fail(done.error());
        std::sort(walked_.tree.begin(), walked_.tree.end(),
                  [](const Entry& a, const Entry& b) { return a.path < b.path; });
        walked_.ignore.append(callers_);
        return std::move(walked_);
    }

private:
    std::string shown(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }

    // The caller's patterns are the strongest.
    bool is_left_out(const std::string& path, bool is_folder) const {
        if (const std::optional<bool> verdict = callers_.verdict(path, is_folder))
            return *verdict;
        return rules_.excludes(path, is_folder);
    }

    void read_rules(int descriptor, const std::string& path) {
        if (::faccessat(descriptor, kIgnoreFile, R_OK, 0) != 0)
            return;
        const Result<std::string> text = read_file(shown(path) + "/" + kIgnoreFile);
        if (!text)
            return;
        rules_.add(*text, path);
        walked_.ignore.add(*text, path);
    }

    Result<void> folder(Descriptor opened, const std::string& path) {
        const int descriptor = opened.get();
        const std::size_t before = rules_.count();
        FolderPtr list(::fdopendir(descriptor));
        if (!list)
            return read_error(shown(path));
        opened.release(); // it is the list's now
        read_rules(descriptor, path);
        errno = 0;
        while (const dirent* item = ::readdir(list.get())) {
            const std::string name = item->d_name;
            if (name != "." && name != ".." && !name.starts_with(kStagePrefix))
                if (Result<void> done = one(descriptor, path.empty() ? name : path + "/" + name, name); !done)
                    return done;
            errno = 0;
        }
        if (errno != 0)
            return read_error(shown(path));
        rules_.truncate(before);
        return {};
    }

    Result<void> one(int parent, const std::string& path, const std::string& name) {
        struct stat facts {};
        if (::fstatat(parent, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT)
                return {}; // gone since it was listed
            return read_error(shown(path));
        }
        Entry entry = entry_from(path, facts);
        if (is_left_out(path, entry.type == Type::folder))
            return {};
        if (entry.type == Type::other) {
            walked_.skipped.push_back(fmt::format("{}: {}", path, special_kind(facts.st_mode)));
            return {};
        }
        if (entry.type == Type::link)
            entry.link = read_link(parent, name, static_cast<std::size_t>(facts.st_size));
        const bool is_folder = entry.type == Type::folder;
        walked_.tree.push_back(std::move(entry));
        if (!is_folder)
            return {};
        Descriptor child(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (child.get() < 0)
            return read_error(shown(path));
        return folder(std::move(child), path);
    }

    std::string root_;
    Ignore rules_; // of the folder being read and those above it
    Ignore callers_;
    Walked walked_;
};

} // namespace

Ignore make_ignore(const IgnoreOptions& options) {
    Ignore ignore;
    if (options.with_defaults)
        ignore.add(default_ignores());
    for (const std::string& pattern : options.exclude)
        ignore.add(pattern);
    return ignore;
}

Result<Walked> walk(const std::string& root, const IgnoreOptions& options) {
    return Walk(root, options).run();
}

Result<Walked> walk_one(const std::string& path, const std::string& name) {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0)
        return read_error(path);
    Entry entry = entry_from(name, facts);
    if (entry.type == Type::other)
        return fail(Kind::invalid, fmt::format("read {}: it is {}", path, special_kind(facts.st_mode)),
                    "give a file or a folder");
    if (entry.type == Type::link)
        entry.link = read_link(AT_FDCWD, path, static_cast<std::size_t>(facts.st_size));
    Walked walked;
    walked.tree.push_back(std::move(entry));
    return walked;
}

} // namespace podsmith::sync
