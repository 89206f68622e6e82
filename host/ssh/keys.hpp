#pragma once
#include "base/error.hpp"
#include "base/secret.hpp"

#include <filesystem>
#include <memory>
#include <openssl/evp.h>
#include <string>
#include <string_view>

namespace podsmith::ssh {

struct PkeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, PkeyDeleter>;

/// A private key that can log in. The secret parts live in OpenSSL's object, which wipes them at its end.
class PrivateKey {
public:
    PrivateKey(PkeyPtr key, std::string type, std::string public_fields)
        : key_(std::move(key)), type_(std::move(type)), public_fields_(std::move(public_fields)) {}

    /// "ssh-ed25519", "ecdsa-sha2-nistp256" (384, 521) or "ssh-rsa".
    const std::string& type() const { return type_; }
    /// The public key blob, its first string replaced by `algorithm` (RSA keys sign under several names).
    std::string blob(std::string_view algorithm) const;
    /// The signature's inner blob (RFC 4253, 5656, 8332, 8709) for a signature algorithm; empty when the key
    /// cannot.
    std::string sign(std::string_view algorithm, std::string_view data) const;

private:
    PkeyPtr key_;
    std::string type_;
    std::string public_fields_; // the blob behind its first string
};

/// Reads a private key: ed25519, ecdsa or RSA, as PEM (PKCS1, SEC1, PKCS8) or in OpenSSH's format, with or
/// without a passphrase. `shown` is how errors name the file. Warns when others can read it. Decrypting takes
/// CPU time: call it on the pool. Errors: invalid (missing, unreadable, no private key, passphrase missing),
/// auth (passphrase wrong).
Result<std::shared_ptr<PrivateKey>> load_private_key(std::filesystem::path path, std::string shown,
                                                     Secret passphrase);

/// What a key file shows without its passphrase.
struct KeyFacts {
    bool is_encrypted = false;
    /// The public key, binary: from an encrypted file in OpenSSH's format, else from the .pub beside it; ""
    /// when neither tells.
    std::string public_blob;
};

/// Looks at a private key file without opening it. Errors as load_private_key's for a file that cannot be
/// read.
Result<KeyFacts> look_at_key(std::filesystem::path path, std::string shown);

/// The public key blob in a line "ssh-ed25519 AAAA... comment"; "" when it is none.
std::string blob_of_line(const std::string& line);

/// The public half that a file in OpenSSH's format shows, and whether the rest is encrypted.
Result<KeyFacts> look_at_openssh_key(std::string_view text);

/// What one kind of key file holds, before it becomes a PrivateKey. Errors name no file: the caller does.
Result<PkeyPtr> parse_openssh_key(std::string_view text, const Secret& passphrase);

} // namespace podsmith::ssh
