#include "base/secret.hpp"

#include <mutex>
#include <set>
#include <string.h>

namespace podsmith {
namespace {

constexpr std::size_t kShortestRedacted = 6;

// Process-wide on purpose: redaction must know a secret wherever it was made, and a forgotten registration is a leak.
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

const std::string& Secret::reveal() const { return value_ ? *value_ : kEmpty; }

std::string redact(std::string text) {
    std::lock_guard lock(registry().mutex);
    for (const std::string* value : registry().values) {
        if (value->size() < kShortestRedacted)
            continue;
        for (auto at = text.find(*value); at != std::string::npos; at = text.find(*value, at + 3))
            text.replace(at, value->size(), "***");
    }
    return text;
}

} // namespace podsmith
