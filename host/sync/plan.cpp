#include "sync/plan.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace podsmith::sync {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

class Planner {
public:
    Planner(const Tree& from, const Tree& to, const Ignore& ignore, const PlanOptions& options)
        : from_(from), to_(to), ignore_(ignore), options_(options) {
        for (const Entry& entry : to)
            there_.emplace(entry.path, &entry);
    }

    Plan run() {
        for (const Entry& entry : from_)
            if (options_.from_is_filtered || !is_ignored(entry)) {
                wanted_.emplace(entry.path, &entry);
                compare(entry);
            }
        if (options_.remove)
            remove_extra();
        for (const Entry& entry : from_)
            if (entry.type == Type::folder && wanted_.contains(entry.path))
                compare_folder(entry);
        return std::move(plan_);
    }

private:
    bool is_ignored(const Entry& entry) const {
        return ignore_.excludes_tree(entry.path, entry.type == Type::folder);
    }
    const Entry* other(std::string_view path) const {
        const auto found = there_.find(path);
        return found == there_.end() ? nullptr : found->second;
    }
    void touch(std::string_view path) { touched_.emplace(parent_of(path)); }

    void compare(const Entry& entry) {
        const Entry* old = other(entry.path);
        if (entry.type == Type::other) {
            plan_.skipped.push_back(entry.path + ": neither file, folder nor link");
            return;
        }
        if (old && old->type != entry.type) {
            if (old->type != Type::folder)
                plan_.obstacles.push_back(entry.path);
            else
                plan_.blocked.push_back(entry.path);
            old = nullptr;
        }
        if (entry.type == Type::folder) {
            if (!old) {
                plan_.new_folders.push_back(entry.path);
                touch(entry.path);
            }
        } else if (entry.type == Type::link) {
            if (!old || old->link != entry.link) {
                plan_.links.push_back(entry);
                touch(entry.path);
            }
        } else {
            compare_file(entry, old);
        }
    }

    bool is_same(const Entry& entry, const Entry& old) const {
        return entry.size == old.size && same_time(entry.mtime, old.mtime, options_.with_fraction);
    }

    void compare_file(const Entry& entry, const Entry* old) {
        if (old && is_same(entry, *old)) {
            ++plan_.unchanged;
            if (old->mode != entry.mode)
                plan_.modes.push_back(entry);
            return;
        }
        (entry.size >= options_.large ? plan_.large : plan_.files).push_back(entry);
        plan_.bytes += entry.size;
        touch(entry.path);
    }

    // A folder goes only when all that is in it does; one in the way of a file goes first, with its content.
    void remove_extra() {
        std::unordered_set<std::string_view> kept;
        for (const Entry& entry : to_)
            if (wanted_.contains(entry.path) || is_ignored(entry))
                for (std::string_view above = parent_of(entry.path); !above.empty(); above = parent_of(above))
                    if (!kept.insert(above).second)
                        break;
        for (auto entry = to_.rbegin(); entry != to_.rend(); ++entry) {
            if (wanted_.contains(entry->path) || is_ignored(*entry))
                continue;
            if (entry->type != Type::folder)
                plan_.removed.push_back(entry->path);
            else if (!kept.contains(entry->path))
                plan_.removed_folders.push_back(entry->path);
            else
                continue;
            touch(entry->path);
        }
        std::erase_if(plan_.blocked, [&kept, this](const std::string& path) {
            if (kept.contains(path))
                return false;
            plan_.obstacles.push_back(path);
            return true;
        });
        std::sort(plan_.removed_folders.begin(), plan_.removed_folders.end(), std::greater<>());
        std::reverse(plan_.removed.begin(), plan_.removed.end());
    }

    void compare_folder(const Entry& entry) {
        const Entry* old = other(entry.path);
        if (!old || old->type != Type::folder || old->mode != entry.mode ||
            !same_time(old->mtime, entry.mtime, options_.with_fraction) || touched_.contains(entry.path))
            plan_.folders.push_back(entry);
    }

    const Tree& from_;
    const Tree& to_;
    const Ignore& ignore_;
    const PlanOptions& options_;
    std::unordered_map<std::string_view, const Entry*> there_;
    std::unordered_map<std::string_view, const Entry*> wanted_;
    std::unordered_set<std::string_view> touched_; // folders in which names come or go
    Plan plan_;
};

} // namespace

bool Plan::is_empty() const {
    return files.empty() && large.empty() && links.empty() && modes.empty() && folders.empty() &&
           new_folders.empty() && obstacles.empty() && removed.empty() && removed_folders.empty();
}

bool same_time(std::int64_t a, std::int64_t b, bool with_fraction) {
    if (with_fraction)
        return a == b;
    const auto seconds = [](std::int64_t value) { return value / kSecond - (value % kSecond < 0 ? 1 : 0); };
    return seconds(a) == seconds(b);
}

Plan make_plan(const Tree& from, const Tree& to, const Ignore& ignore, const PlanOptions& options) {
    return Planner(from, to, ignore, options).run();
}

} // namespace podsmith::sync
