#include "sync/push_lists.hpp"

#include "base/tar.hpp"
#include "base/text.hpp"
#include "sync/push_source.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace podsmith::sync {
namespace {

constexpr std::size_t kCommandLine = 60'000;

// "chmod 0644 -- a b || exit 4"
std::string mode_script(const std::vector<Entry>& entries) {
    std::map<unsigned, std::vector<const Entry*>> modes;
    for (const Entry& entry : entries)
        modes[entry.mode].push_back(&entry);
    std::string text;
    for (const auto& [mode, list] : modes) {
        std::string line;
        for (const Entry* entry : list) {
            line += (line.empty() ? fmt::format("chmod {:04o} -- ", mode) : std::string(" ")) +
                    shell_quote(entry->path);
            if (line.size() > kCommandLine)
                text += std::exchange(line, "") + " || exit 4\n";
        }
        if (!line.empty())
            text += line + " || exit 4\n";
    }
    return text;
}

// Deepest first: a folder that its owner may not write in is closed after those in it.
std::string folders_archive(const std::vector<Entry>& folders, bool with_fraction) {
    std::string archive;
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder)
        append_tar_header(archive, tar_member(*folder), with_fraction);
    append_tar_end(archive);
    return archive;
}

} // namespace

std::string prepare_input(const Plan& plan) {
    std::string out;
    append_tar_file(out, "obstacles", with_zeros(plan.obstacles));
    append_tar_file(out, "end", "");
    append_tar_end(out);
    return out;
}

std::string finish_input(const Plan& plan, bool with_fraction) {
    std::string out;
    append_tar_file(out, "removed", with_zeros(plan.removed));
    append_tar_file(out, "rmdir", with_zeros(plan.removed_folders));
    append_tar_file(out, "folders", with_zeros(plan.new_folders));
    append_tar_file(out, "modes", mode_script(plan.modes));
    append_tar_file(out, "folders.tar",
                    plan.folders.empty() ? "" : folders_archive(plan.folders, with_fraction));
    append_tar_file(out, "end", "");
    append_tar_end(out);
    return out;
}

} // namespace podsmith::sync
