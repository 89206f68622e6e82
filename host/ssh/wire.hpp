#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace podsmith::ssh {

/// Reads the fields of RFC 4251 (uint32, string) from a buffer that must outlive it. A read past the end
/// gives an empty value and makes `ok()` false.
class WireReader {
public:
    explicit WireReader(std::string_view bytes) : rest_(bytes) {}

    std::uint32_t number();
    std::string_view string();
    std::string_view bytes(std::size_t count);
    std::string_view rest() const { return rest_; }
    bool ok() const { return ok_; }

private:
    std::string_view rest_;
    bool ok_ = true;
};

void put_number(std::string& out, std::uint32_t value);
void put_string(std::string& out, std::string_view value);
/// A positive big-endian integer as mpint: no leading zeros but the one that keeps it positive.
void put_mpint(std::string& out, std::string_view big_endian);

} // namespace podsmith::ssh
