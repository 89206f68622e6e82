#pragma once
#include "base/system.hpp"
#include "support/sshd.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace podsmith::sync {

/// A temporary folder that goes with the object.
struct Scratch {
    std::filesystem::path path;
    Scratch() {
        std::string name = (std::filesystem::temp_directory_path() / "podsmith-sync-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Scratch() { tests::run_program({"rm", "-rf", path.string()}); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string operator/(const std::string& name) const { return (path / name).string(); }
};

/// A folder of programs, as the only ones that commands of a server with path_config find.
inline void link_tools(const Scratch& folder, std::initializer_list<const char*> names,
                       const std::string& target = "") {
    for (const char* name : names)
        if (!std::filesystem::exists(folder.path / name))
            std::filesystem::create_symlink(target.empty() ? std::string("/usr/bin/") + name : target,
                                            folder.path / name);
}
inline std::string path_config(const Scratch& folder) {
    return "SetEnv PATH=" + folder.path.string() + " HOME=" + folder.path.string() + "\n";
}

inline void put(const std::filesystem::path& path, const std::string& content, unsigned mode = 0644) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), mode);
}

/// Files of every awkward kind.
inline void put_odd_tree(const std::filesystem::path& root) {
    for (const std::string name : {"plain", "a b", "it's", "\"q\"", "new\nline", "\xff\xfe", "-n", "-",
                                   "$(id)", "back\\slash", "\xc3\xa4", "*", ".hidden", "tab\t"}) {
        put(root / name, name + name);
        put(root / "d" / name / name, name);
    }
    put(root / std::string(200, 'x'), "long");
    std::filesystem::path deep = root / "deep";
    for (int i = 0; i < 8; ++i)
        deep /= std::string(40, 'd');
    put(deep / "f", "x");
    put(root / "empty", "");
    put(root / "private", "p", 0600);
    put(root / "script", "s", 0755);
    put(root / "read only", "r", 0444);
    std::filesystem::create_directories(root / "empty folder");
    ::chmod((root / "empty folder").c_str(), 0750);
    for (const auto& [name, target] : {std::pair<std::string, std::string>{"l1", "a b"},
                                       {"l2", "/etc/passwd"},
                                       {"l3", "nowhere\n"},
                                       {"l4", std::string(150, 'y')},
                                       {"l5", "d"}})
        std::filesystem::create_symlink(target, root / name);
    const timespec times[2] = {{1, 1}, {1234567890, 123456789}};
    ::utimensat(AT_FDCWD, (root / "empty folder").c_str(), times, 0);
    ::utimensat(AT_FDCWD, (root / "plain").c_str(), times, 0);
}

/// What find says of everything below: names, kinds, modes, times, sizes, links. `seconds`: no fractions.
inline std::string described(const std::filesystem::path& root, bool seconds = false) {
    return tests::run_program(
        {"sh", "-c",
         seconds ? "cd \"$1\" && find . -mindepth 1 -type f -printf '%y %m %Ts %s %P\\0' | sort -z"
                 : "cd \"$1\" && find . -mindepth 1 ! -type p '(' -type l -printf 'l %l %P\\0' -o "
                   "-type d -printf 'd %m %T@ %P\\0' -o -printf '%y %m %T@ %s %P\\0' ')' | sort -z",
         "sh", root.string()});
}

inline bool same_content(const std::filesystem::path& a, const std::filesystem::path& b) {
    return !tests::run_program({"sh", "-c", "diff -r --no-dereference \"$1\" \"$2\" && echo same", "sh",
                                a.string(), b.string()})
                .empty();
}

} // namespace podsmith::sync
