#include "base/hash.hpp"

#include <array>
#include <new>

namespace podsmith {
namespace {

// Looked up once: OpenSSL 3 takes longer over finding the algorithm than over hashing a small file.
const EVP_MD* sha256() {
    static const EVP_MD* found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return found;
}

const EVP_MD* sha1() {
    static const EVP_MD* found = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    return found;
}

} // namespace

Digest::Digest(const EVP_MD* algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), algorithm_, nullptr) != 1)
        throw std::bad_alloc();
}

void Digest::update(std::string_view bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string Digest::hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    EVP_DigestInit_ex(context_.get(), algorithm_, nullptr);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(std::size_t{2} * size);
    for (unsigned i = 0; i < size; ++i) {
        text += kDigits[digest[i] >> 4];
        text += kDigits[digest[i] & 15];
    }
    return text;
}

Sha256::Sha256() : Digest(sha256()) {}
Sha1::Sha1() : Digest(sha1()) {}

std::string sha256_hex(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.hex();
}

std::string sha1_hex(std::string_view bytes) {
    Sha1 hash;
    hash.update(bytes);
    return hash.hex();
}

} // namespace podsmith
