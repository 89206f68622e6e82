#pragma once
#include <memory>
#include <openssl/evp.h>
#include <string>
#include <string_view>

namespace podsmith {

/// A digest of bytes as they come; used again after `hex`. Sha256 and Sha1 say which.
class Digest {
public:
    void update(std::string_view bytes);
    /// Lower case hexadecimal digits; the next `update` begins anew.
    std::string hex();

protected:
    explicit Digest(const EVP_MD* algorithm);

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    const EVP_MD* algorithm_;
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

class Sha256 : public Digest {
public:
    Sha256();
};

/// For git's ids; proves nothing against somebody who makes collisions.
class Sha1 : public Digest {
public:
    Sha1();
};

std::string sha256_hex(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);

} // namespace podsmith
