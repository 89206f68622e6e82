#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace podsmith::ssh {

/// The key derivation of passphrase-protected OpenSSH key files (bcrypt_pbkdf, which OpenSSL does not have):
/// `length` bytes from passphrase, salt and rounds. Slow on purpose (a tenth of a second or more): call it on
/// the pool.
std::string bcrypt_pbkdf(std::string_view passphrase, std::string_view salt, std::uint32_t rounds,
                         std::size_t length);

} // namespace podsmith::ssh
