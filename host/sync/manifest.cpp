#include "sync/manifest.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <unordered_map>

namespace podsmith::sync {
namespace {

constexpr std::string_view kMark = "podsmith-manifest-1";
constexpr std::int64_t kSecond = 1'000'000'000;

// $1 the folder, $2 "." or "./name", $3 the stage's name. GNU find says all in one walk; elsewhere the names,
// the facts and the links come one after the other and are matched by their order.
constexpr std::string_view kScript = R"sh(
LC_ALL=C; export LC_ALL
has() { command -v "$1" >/dev/null 2>&1 && printf "$1 "; }
list() {
  if [ "$gnu" ]; then
    find "$@" -name '.podsmith-part-*' -prune -o -printf '%y %s %T@ %m\0%P\0%l\0'
  else
    find "$@" -name '.podsmith-part-*' -prune -o -print0 &&
    printf '\0' &&
    find "$@" -name '.podsmith-part-*' -prune -o -print0 | xargs -0 stat -c '%f %s %Y' &&
    printf '\0' &&
    find "$@" -name '.podsmith-part-*' -prune -o -type l -exec sh -c 'for l; do readlink -n "$l"; printf "\0"; done' sh {} +
  fi || exit 5
}
gnu=
find / -maxdepth 0 -printf '' 2>/dev/null && gnu=gnu
printf 'podsmith-manifest-1\0'
[ "$gnu" ] && printf 'gnu '
has python3
has gzip
if [ -d "$1" ]; then printf folder; elif [ -e "$1" ] || [ -L "$1" ]; then printf file; else printf absent; fi
printf '\0'
[ -d "$1" ] || exit 0
cd -- "$1" || exit 4
if [ "$2" = . ]; then list .; elif [ -e "$2" ] || [ -L "$2" ]; then list "$2" -maxdepth 0; fi
printf '\0podsmith-staged\0'
if [ -d "$3" ]; then cd -- "$3" && list .; fi
printf '\0podsmith-end\0'
)sh";

class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}
    bool at_end() const { return text_.empty(); }
    std::string_view peek() const { return text_.substr(0, text_.find('\0')); }
    std::string_view next() {
        const std::string_view field = peek();
        text_.remove_prefix(std::min(text_.size(), field.size() + 1));
        return field;
    }

private:
    std::string_view text_;
};

template <class T>
bool number(std::string_view& text, T& value, int base = 10) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (code != std::errc())
        return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(' '))
        text.remove_prefix(1);
    return true;
}

// "1700000000.1234567890" as nanoseconds.
bool moment(std::string_view& text, std::int64_t& value) {
    const bool is_negative = text.starts_with('-');
    if (is_negative)
        text.remove_prefix(1);
    std::int64_t seconds = 0;
    if (!number(text, seconds))
        return false;
    std::int64_t fraction = 0;
    if (text.starts_with('.')) {
        std::int64_t unit = kSecond;
        for (text.remove_prefix(1); !text.empty() && text.front() >= '0' && text.front() <= '9';
             text.remove_prefix(1)) {
            unit /= 10;
            fraction += (text.front() - '0') * unit;
        }
    }
    if (text.starts_with(' '))
        text.remove_prefix(1);
    // Before 1970 find writes the whole seconds, which are rounded down, and the fraction that is added to
    // them.
    value = (is_negative ? -seconds : seconds) * kSecond + fraction;
    return true;
}

Type type_of(char letter) {
    return letter == 'f'   ? Type::file
           : letter == 'd' ? Type::folder
           : letter == 'l' ? Type::link
                           : Type::other;
}

Type type_of_mode(unsigned mode) {
    switch (mode & 0170000) {
    case 0100000:
        return Type::file;
    case 0040000:
        return Type::folder;
    case 0120000:
        return Type::link;
    default:
        return Type::other;
    }
}

tl::unexpected<Error> garbled(const std::string& what) {
    return fail(Kind::protocol, "the other side's list of files makes no sense: " + what,
                "does its shell print something at login? what it prints must not reach commands");
}

// "./a" is "a"; the top itself is "".
std::string_view plain(std::string_view path) {
    if (path == ".")
        return {};
    return path.starts_with("./") ? path.substr(2) : path;
}

Result<void> read_gnu(Reader& reader, Tree& tree, std::string_view only) {
    while (!reader.at_end() && !reader.peek().empty()) {
        std::string_view facts = reader.next();
        Entry entry;
        entry.type = type_of(facts.front());
        facts.remove_prefix(std::min<std::size_t>(2, facts.size()));
        if (!number(facts, entry.size) || !moment(facts, entry.mtime) || !number(facts, entry.mode, 8))
            return garbled("facts");
        entry.path = reader.next();
        entry.link = reader.next();
        // find's %P of the starting point is empty: the top of the tree, or the one thing asked for.
        if (entry.path.empty())
            entry.path = only;
        if (entry.type != Type::file)
            entry.size = 0;
        if (!entry.path.empty())
            tree.push_back(std::move(entry));
    }
    return {};
}

Result<void> read_basic(Reader& reader, Tree& tree) {
    std::vector<std::string_view> names;
    while (!reader.at_end() && !reader.peek().empty())
        names.push_back(plain(reader.next()));
    reader.next();
    std::string_view lines = reader.next();
    std::vector<std::size_t> links;
    for (const std::string_view name : names) {
        Entry entry;
        unsigned mode = 0;
        std::int64_t seconds = 0;
        if (!number(lines, mode, 16) || !number(lines, entry.size) || !number(lines, seconds))
            return garbled("fewer facts than names; did files go while they were listed?");
        if (lines.starts_with('\n'))
            lines.remove_prefix(1);
        entry.path = name;
        entry.type = type_of_mode(mode);
        entry.mode = mode & 07777;
        entry.mtime = seconds * kSecond;
        if (entry.type != Type::file)
            entry.size = 0;
        if (entry.path.empty())
            continue;
        if (entry.type == Type::link)
            links.push_back(tree.size());
        tree.push_back(std::move(entry));
    }
    for (const std::size_t link : links)
        tree[link].link = reader.next();
    return {};
}

bool is_safe(std::string_view path) {
    if (path.empty() || path.front() == '/' || path.back() == '/')
        return false;
    for (const std::string& part : split(path, '/'))
        if (part.empty() || part == "." || part == "..")
            return false;
    return true;
}

std::string shown(std::string_view path) {
    std::string text;
    for (const char c : path.substr(0, 200))
        text += c >= ' ' && c != 127 ? c : '?';
    return text;
}

} // namespace

std::string manifest_command(const std::string& target, const std::string& only, const std::string& stage) {
    return fmt::format("exec sh -c {} sh {} {} {}", shell_quote(kScript), shell_quote(target),
                       only.empty() ? "." : shell_quote("./" + only), shell_quote(stage));
}

Result<void> check_tree(Tree& tree) {
    const auto refused = [](std::string_view path, const char* why) {
        return fail(Kind::protocol, fmt::format("the other side lists \"{}\", which {}", shown(path), why),
                    "nothing was written; is that machine yours?");
    };
    std::unordered_map<std::string_view, Type> types;
    for (const Entry& entry : tree) {
        if (!is_safe(entry.path))
            return refused(entry.path, "leads out of the folder");
        if (!types.emplace(entry.path, entry.type).second)
            return refused(entry.path, "it has listed before");
    }
    for (const Entry& entry : tree) {
        const std::string_view parent = parent_of(entry.path);
        const auto found = types.find(parent);
        if (!parent.empty() && (found == types.end() || found->second != Type::folder))
            return refused(entry.path, "lies in something that is no folder");
    }
    std::sort(tree.begin(), tree.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
    return {};
}

Result<Manifest> parse_manifest(std::string_view text, const std::string& only) {
    Reader reader(text);
    if (reader.next() != kMark)
        return garbled(shown(text.substr(0, 60)));
    Manifest manifest;
    const std::string facts = " " + std::string(reader.next()) + " ";
    const auto has = [&facts](const char* word) {
        return facts.find(std::string(" ") + word + " ") != std::string::npos;
    };
    manifest.has_fraction = has("gnu");
    manifest.has_python = has("python3");
    manifest.has_gzip = has("gzip");
    manifest.is_folder = has("folder");
    manifest.exists = manifest.is_folder || has("file");
    if (!manifest.exists && !has("absent"))
        return garbled("it is cut short");
    if (!manifest.is_folder)
        return manifest;
    for (Tree* tree : {&manifest.tree, &manifest.staged}) {
        if (!reader.peek().empty())
            if (Result<void> done = manifest.has_fraction
                                        ? read_gnu(reader, *tree, tree == &manifest.tree ? only : "")
                                        : read_basic(reader, *tree);
                !done)
                return fail(done.error());
        const std::string_view wanted = tree == &manifest.tree ? "podsmith-staged" : "podsmith-end";
        if (!reader.next().empty() || reader.next() != wanted)
            return garbled("it is cut short");
        if (Result<void> safe = check_tree(*tree); !safe)
            return fail(safe.error());
    }
    return manifest;
}

} // namespace podsmith::sync
