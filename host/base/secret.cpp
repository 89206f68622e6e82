#include "base/secret.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <string.h>
#include <utility>
#include <vector>

namespace podsmith {
namespace {

constexpr std::size_t kShortestRedacted = 6;

// Process-wide on purpose: redaction must know a secret wherever it was made, and a forgotten registration is
// a leak.
struct Registry {
    std::mutex mutex;
    std::multiset<const std::string*> values;
};

Registry& registry() {
    static Registry instance;
    return instance;
}

const std::string kEmpty;

} // namespace

void wipe(std::string& text) {
    if (!text.empty())
        explicit_bzero(text.data(), text.size());
    text.clear();
}

Secret::Secret(std::string value, std::string name) : name_(std::move(name)) {
    auto* owned = new std::string(value);
    wipe(value);
    {
        std::lock_guard lock(registry().mutex);
        registry().values.insert(owned);
    }
    value_ = std::shared_ptr<const std::string>(owned, [](const std::string* pointer) {
        {
            std::lock_guard lock(registry().mutex);
            registry().values.erase(registry().values.find(pointer));
        }
        wipe(*const_cast<std::string*>(pointer));
        delete pointer;
    });
}

const std::string& Secret::reveal() const {
    return value_ ? *value_ : kEmpty;
}

std::string redact(std::string text) {
    // All places are found before any is replaced: secrets may contain or overlap each other, and what is
    // left of a longer one after a shorter was replaced would be a leak.
    std::vector<std::pair<std::size_t, std::size_t>> places;
    {
        std::lock_guard lock(registry().mutex);
        for (const std::string* value : registry().values) {
            if (value->size() < kShortestRedacted)
                continue;
            for (auto at = text.find(*value); at != std::string::npos; at = text.find(*value, at + 1))
                places.emplace_back(at, at + value->size());
        }
    }
    if (places.empty())
        return text;
    std::sort(places.begin(), places.end());
    std::string result;
    std::size_t done = 0;
    for (std::size_t i = 0; i < places.size();) {
        const std::size_t begin = places[i].first;
        std::size_t end = places[i].second;
        for (++i; i < places.size() && places[i].first < end; ++i)
            end = std::max(end, places[i].second);
        result.append(text, done, begin - done);
        result += "***";
        done = end;
    }
    return result.append(text, done);
}

} // namespace podsmith
