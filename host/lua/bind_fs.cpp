// Natives of lua/podsmith/fs.lua: small local files, at once (they do not wait).
#include "lua/bind.hpp"
#include "lua/runtime.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::lua {
namespace {

namespace files = std::filesystem;

files::path check_path(lua_State* L, int index) {
    return Runtime::of(L).loop().system().expand(check_string(L, index));
}

struct FileLockBox {
    static constexpr const char* kClass = "podsmith.file_lock";
    explicit FileLockBox(int d) : descriptor(d) {}
    ~FileLockBox() { release(); }
    FileLockBox(const FileLockBox&) = delete;
    FileLockBox& operator=(const FileLockBox&) = delete;
    void release() {
        if (descriptor >= 0)
            ::close(std::exchange(descriptor, -1));
    }
    int descriptor;
};

[[noreturn]] void raise_code(lua_State* L, const char* verb, const files::path& path, std::error_code code) {
    Error error;
    error.kind = Kind::io;
    error.message = fmt::format("{} {}: {}", verb, path.string(), code.message());
    raise(L, error);
}

// core.fs_read(path) -> text
int fs_read(lua_State* L) {
    const auto text = read_file(check_path(L, 1));
    if (!text)
        raise(L, text.error());
    push_string(L, *text);
    return 1;
}

// core.fs_write(path, text|secret, mode): whole and atomic
int fs_write(lua_State* L) {
    const files::path path = check_path(L, 1);
    const Secret* secret = to_secret(L, 2);
    const std::string text = secret ? secret->reveal() : check_string(L, 2);
    const auto mode = static_cast<unsigned>(luaL_optinteger(L, 3, secret ? 0600 : 0644));
    const auto done = write_file(path, text, mode);
    if (!done)
        raise(L, done.error());
    return 0;
}

// core.fs_mkdir(path): with its parents, 0700 for what is new
int fs_mkdir(lua_State* L) {
    const files::path path = check_path(L, 1);
    std::error_code code;
    if (files::create_directories(path, code))
        ::chmod(path.c_str(), 0700);
    if (code)
        raise_code(L, "make folder", path, code);
    return 0;
}

// core.fs_stat(path) -> {size, is_dir, mode} | nil
int fs_stat(lua_State* L) {
    struct stat info {};
    if (::stat(check_path(L, 1).c_str(), &info) != 0)
        return 0;
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, info.st_size);
    lua_setfield(L, -2, "size");
    lua_pushboolean(L, S_ISDIR(info.st_mode));
    lua_setfield(L, -2, "is_dir");
    lua_pushinteger(L, info.st_mode & 07777);
    lua_setfield(L, -2, "mode");
    return 1;
}

// core.fs_list(path) -> names, sorted
int fs_list(lua_State* L) {
    const files::path path = check_path(L, 1);
    std::error_code code;
    std::vector<std::string> names;
    for (files::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code))
        names.push_back(entry->path().filename().string());
    if (code)
        raise_code(L, "list", path, code);
    std::sort(names.begin(), names.end());
    lua_createtable(L, static_cast<int>(names.size()), 0);
    for (std::size_t i = 0; i < names.size(); ++i) {
        push_string(L, names[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    return 1;
}

// core.fs_remove(path): a file or a whole folder; absent is fine
int fs_remove(lua_State* L) {
    const files::path path = check_path(L, 1);
    std::error_code code;
    files::remove_all(path, code);
    if (code)
        raise_code(L, "remove", path, code);
    return 0;
}

// core.fs_truncate(path, size): cuts a file off
int fs_truncate(lua_State* L) {
    const files::path path = check_path(L, 1);
    const auto size = static_cast<std::uintmax_t>(luaL_checkinteger(L, 2));
    std::error_code code;
    files::resize_file(path, size, code);
    if (code)
        raise_code(L, "cut off", path, code);
    return 0;
}

// core.fs_lock(path) -> lock (release(), and when it is collected) | nil when another process or task has it.
// Makes the file; the kernel frees the lock however the process ends.
int fs_lock(lua_State* L) {
    const files::path path = check_path(L, 1);
    auto lock = std::make_shared<FileLockBox>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock->descriptor >= 0 && ::flock(lock->descriptor, LOCK_EX | LOCK_NB) == 0) {
        push_object(L, std::move(lock));
        return 1;
    }
    if (errno != EWOULDBLOCK)
        raise_code(L, "lock", path, std::error_code(errno, std::generic_category()));
    return 0;
}
int lock_release(lua_State* L) {
    check_object<FileLockBox>(L, 1)->release();
    return 0;
}

// core.state_dir() -> path ; core.expand(path) -> path ; core.cwd() -> path
int fs_state_dir(lua_State* L) {
    push_string(L, Runtime::of(L).loop().system().state_dir().string());
    return 1;
}
int fs_expand(lua_State* L) {
    push_string(L, check_path(L, 1).string());
    return 1;
}
// core.fs_real(path) -> path: where a chain of links leads, also to what is not there yet
int fs_real(lua_State* L) {
    const files::path path = check_path(L, 1);
    std::error_code code;
    const files::path real = files::weakly_canonical(path, code);
    if (code)
        raise_code(L, "follow", path, code);
    push_string(L, real.string());
    return 1;
}
int fs_cwd(lua_State* L) {
    std::error_code code;
    push_string(L, files::current_path(code).string());
    return 1;
}

} // namespace

void register_fs(lua_State* L) {
    const luaL_Reg lock_methods[] = {{"release", guarded<lock_release>}, {nullptr, nullptr}};
    register_class<FileLockBox>(L, lock_methods);
    const luaL_Reg functions[] = {{"fs_read", guarded<fs_read>},
                                  {"fs_write", guarded<fs_write>},
                                  {"fs_mkdir", guarded<fs_mkdir>},
                                  {"fs_stat", guarded<fs_stat>},
                                  {"fs_list", guarded<fs_list>},
                                  {"fs_remove", guarded<fs_remove>},
                                  {"fs_truncate", guarded<fs_truncate>},
                                  {"fs_lock", guarded<fs_lock>},
                                  {"state_dir", guarded<fs_state_dir>},
                                  {"expand", guarded<fs_expand>},
                                  {"fs_real", guarded<fs_real>},
                                  {"cwd", guarded<fs_cwd>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
