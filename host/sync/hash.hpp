#pragma once
#include <memory>
#include <openssl/evp.h>
#include <string>
#include <string_view>

namespace podsmith::sync {

/// SHA-256 of bytes as they come; used again after `hex`.
class Sha256 {
public:
    Sha256();
    void update(std::string_view bytes);
    /// 64 lower case hexadecimal digits; the next `update` begins anew.
    std::string hex();

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string sha256_hex(std::string_view bytes);

} // namespace podsmith::sync
