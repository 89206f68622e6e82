#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace podsmith {

/// A key, token or passphrase. It has no operator<<, no conversion to string and prints as ***: only
/// `reveal()` gives the value, and only code that puts it on the wire (a header, a request body, a remote
/// file) may call it. The value is wiped when the last copy goes. While any copy lives, `redact` replaces the
/// value in any text.
class Secret {
public:
    /// An empty secret: `empty()` is true.
    Secret() = default;
    /// `name` is how messages speak of it, e.g. "RUNPOD_API_KEY".
    Secret(std::string value, std::string name);

    bool empty() const { return !value_ || value_->empty(); }
    const std::string& reveal() const;
    const std::string& name() const { return name_; }

private:
    std::shared_ptr<const std::string> value_;
    std::string name_;
};

/// Replaces every living secret's value in `text` by ***. Values under 6 characters are left alone: they
/// would shred ordinary text, and no key or token is that short. Called by the log, by errors shown to
/// people, and by the journal. Thread-safe.
std::string redact(std::string text);

/// Overwrites the bytes of `text` in a way the compiler keeps.
void wipe(std::string& text);

} // namespace podsmith
