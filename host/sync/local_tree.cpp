#include "sync/local_tree.hpp"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>

namespace podsmith::sync {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr unsigned kTaken = 0777; // a stranger's set-user-id bit stays his

timespec moment(std::int64_t mtime) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    timespec time{};
    time.tv_nsec = ((mtime % kSecond) + kSecond) % kSecond;
    time.tv_sec = (mtime - time.tv_nsec) / kSecond;
    return time;
}

std::string name_in(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1)); // npos + 1 is 0
}

// Through descriptors, so that a link put there meanwhile is removed, not followed.
bool remove_all(int folder, const std::string& name) {
    if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT)
        return true;
    Descriptor inner(::openat(folder, name.c_str(), kFolder));
    if (inner.get() < 0)
        return false;
    DIR* list = ::fdopendir(::dup(inner.get()));
    if (!list)
        return false;
    bool is_clean = true;
    while (const dirent* item = ::readdir(list)) {
        const std::string child = item->d_name;
        if (child != "." && child != "..")
            is_clean = remove_all(inner.get(), child) && is_clean;
    }
    ::closedir(list);
    return is_clean && ::unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0;
}

} // namespace

tl::unexpected<Error> LocalTree::error(const char* verb, std::string_view path) const {
    const int code = errno;
    std::string hint = "check who may write there";
    if (code == ENOSPC || code == EDQUOT)
        hint = "the disk of this machine is full: make room, the next pull goes on from here";
    if (code == ELOOP || code == ENOTDIR)
        hint = "there is a link or a file where a folder belongs; did something else write there meanwhile?";
    return fail(Kind::io, fmt::format("{} {}: {}", verb, shown(path), std::strerror(code)), hint);
}

Result<std::shared_ptr<LocalTree>> LocalTree::open(const std::string& root) {
    auto tree = std::make_shared<LocalTree>();
    tree->root_ = root;
    std::error_code code;
    std::filesystem::create_directories(root, code);
    tree->top_.reset(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (tree->top_.get() < 0)
        return fail(Kind::io, fmt::format("open {}: {}", root, std::strerror(errno)), "check the path");
    return tree;
}

Result<void> LocalTree::open_stage(const std::string& name) {
    if (::mkdirat(top_.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
        return error("make", name);
    stage_.reset(::openat(top_.get(), name.c_str(), kFolder));
    if (stage_.get() < 0)
        return error("open", name);
    return {};
}

// One step at a time, none of them through a link; the last one is kept, since neighbours come in a row.
Result<int> LocalTree::parent(std::string_view path) {
    const std::string folder(parent_of(path));
    if (folder.empty())
        return top_.get();
    if (last_.get() >= 0 && folder == last_folder_)
        return last_.get();
    Descriptor at(::dup(top_.get()));
    for (std::size_t begin = 0; begin <= folder.size();) {
        const std::size_t end = std::min(folder.find('/', begin), folder.size());
        Descriptor next(::openat(at.get(), folder.substr(begin, end - begin).c_str(), kFolder));
        if (next.get() < 0)
            return error("open", folder.substr(0, end));
        at = std::move(next);
        begin = end + 1;
    }
    last_ = std::move(at);
    last_folder_ = folder;
    return last_.get();
}

Result<void> LocalTree::make_folder(const std::string& path) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(path);
    if (!folder)
        return fail(folder.error());
    if (::mkdirat(*folder, name_in(path).c_str(), 0700) != 0 && errno != EEXIST)
        return error("make", path);
    return {};
}

Result<void> LocalTree::remove(const std::string& path) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(path);
    if (!folder)
        return fail(folder.error());
    last_folder_.clear();
    const int at = *folder;
    if (!remove_all(at, name_in(path)))
        return error("remove", path);
    return {};
}

Result<void> LocalTree::remove_file(const std::string& path) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(path);
    if (!folder)
        return fail(folder.error());
    if (::unlinkat(*folder, name_in(path).c_str(), 0) != 0 && errno != ENOENT)
        return error("remove", path);
    return {};
}

void LocalTree::remove_empty_folder(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (const Result<int> folder = parent(path))
        ::unlinkat(*folder, name_in(path).c_str(), AT_REMOVEDIR);
}

Result<void> LocalTree::make_link(const Entry& entry) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(entry.path);
    if (!folder)
        return fail(folder.error());
    ::unlinkat(stage_.get(), "link", 0);
    if (::symlinkat(entry.link.c_str(), stage_.get(), "link") != 0)
        return error("make the link", entry.path);
    const timespec times[2] = {moment(entry.mtime), moment(entry.mtime)};
    ::utimensat(stage_.get(), "link", times, AT_SYMLINK_NOFOLLOW);
    if (::renameat(stage_.get(), "link", *folder, name_in(entry.path).c_str()) != 0)
        return error("make the link", entry.path);
    return {};
}

Result<void> LocalTree::set_mode(const Entry& entry) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(entry.path);
    if (!folder)
        return fail(folder.error());
    const Descriptor file(
        ::openat(*folder, name_in(entry.path).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0 || ::fchmod(file.get(), entry.mode & kTaken) != 0)
        return error("change the mode of", entry.path);
    return {};
}

Result<void> LocalTree::set_folder(const Entry& entry) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(entry.path);
    if (!folder)
        return fail(folder.error());
    const Descriptor opened(::openat(*folder, name_in(entry.path).c_str(), kFolder));
    const timespec times[2] = {moment(entry.mtime), moment(entry.mtime)};
    if (opened.get() < 0 || ::fchmod(opened.get(), entry.mode & kTaken) != 0 ||
        ::futimens(opened.get(), times) != 0)
        return error("change the mode of", entry.path);
    return {};
}

Result<Descriptor> LocalTree::open_staged(const std::string& name) {
    Descriptor file(::openat(stage_.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0)
        return error("write", name);
    return file;
}

Result<void> LocalTree::place(const std::string& name, const Entry& entry) {
    const std::lock_guard guard(mutex_);
    const Result<int> folder = parent(entry.path);
    if (!folder)
        return fail(folder.error());
    const timespec times[2] = {moment(entry.mtime), moment(entry.mtime)};
    if (::fchmodat(stage_.get(), name.c_str(), entry.mode & kTaken, 0) != 0 ||
        ::utimensat(stage_.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0 ||
        ::renameat(stage_.get(), name.c_str(), *folder, name_in(entry.path).c_str()) != 0)
        return error("write", entry.path);
    return {};
}

void LocalTree::remove_stage(const std::string& name) {
    remove_all(top_.get(), name);
}

} // namespace podsmith::sync
