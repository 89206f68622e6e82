#include "ssh/wire.hpp"

namespace podsmith::ssh {

std::uint32_t WireReader::number() {
    std::uint32_t value = 0;
    for (const char c : bytes(4))
        value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

std::string_view WireReader::string() {
    return bytes(number());
}

std::string_view WireReader::bytes(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
        ok_ = false;
        return {};
    }
    const std::string_view value = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return value;
}

void put_number(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        out += static_cast<char>(value >> shift & 255);
}

void put_string(std::string& out, std::string_view value) {
    put_number(out, static_cast<std::uint32_t>(value.size()));
    out += value;
}

void put_mpint(std::string& out, std::string_view big_endian) {
    while (!big_endian.empty() && big_endian.front() == 0)
        big_endian.remove_prefix(1);
    const bool looks_negative = !big_endian.empty() && (big_endian.front() & 0x80) != 0;
    put_number(out, static_cast<std::uint32_t>(big_endian.size() + (looks_negative ? 1 : 0)));
    if (looks_negative)
        out += '\0';
    out += big_endian;
}

} // namespace podsmith::ssh
