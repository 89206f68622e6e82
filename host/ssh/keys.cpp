#include "ssh/keys.hpp"

#include "base/log.hpp"
#include "base/system.hpp"
#include "base/text.hpp"
#include "ssh/wire.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <optional>
#include <sys/stat.h>
#include <vector>

namespace podsmith::ssh {
namespace {

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

struct Identity {
    std::string type;
    std::string public_fields;
};

void put_parameter(std::string& out, const EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key, name, &number);
    std::vector<unsigned char> bytes(static_cast<std::size_t>(number ? BN_num_bytes(number) : 0));
    if (number)
        BN_bn2bin(number, bytes.data());
    BN_free(number);
    put_mpint(out, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::optional<Identity> identify_ecdsa(const EVP_PKEY* key) {
    char group[64] = {};
    std::size_t length = 0;
    unsigned char point[256];
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &length) != 1)
        return std::nullopt;
    std::string curve;
    if (std::strcmp(group, "prime256v1") == 0)
        curve = "nistp256";
    else if (std::strcmp(group, "secp384r1") == 0)
        curve = "nistp384";
    else if (std::strcmp(group, "secp521r1") == 0)
        curve = "nistp521";
    else
        return std::nullopt;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &length) != 1)
        return std::nullopt;
    Identity identity{"ecdsa-sha2-" + curve, {}};
    put_string(identity.public_fields, curve);
    put_string(identity.public_fields, std::string_view(reinterpret_cast<const char*>(point), length));
    return identity;
}

std::optional<Identity> identify(const EVP_PKEY* key) {
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: {
        char raw[32];
        std::size_t length = sizeof raw;
        if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw), &length) != 1)
            return std::nullopt;
        Identity identity{"ssh-ed25519", {}};
        put_string(identity.public_fields, std::string_view(raw, length));
        return identity;
    }
    case EVP_PKEY_EC:
        return identify_ecdsa(key);
    case EVP_PKEY_RSA: {
        Identity identity{"ssh-rsa", {}};
        put_parameter(identity.public_fields, key, OSSL_PKEY_PARAM_RSA_E);
        put_parameter(identity.public_fields, key, OSSL_PKEY_PARAM_RSA_N);
        return identity;
    }
    default:
        return std::nullopt;
    }
}

struct Asked {
    const Secret* passphrase;
    bool was_asked = false;
};

int give_passphrase(char* buffer, int size, int, void* context) {
    auto* asked = static_cast<Asked*>(context);
    asked->was_asked = true;
    if (asked->passphrase->empty())
        return -1;
    const std::string& value = asked->passphrase->reveal();
    const auto length = std::min(value.size(), static_cast<std::size_t>(size));
    std::memcpy(buffer, value.data(), length);
    return static_cast<int>(length);
}

Result<PkeyPtr> parse_pem(const std::string& text, const Secret& passphrase) {
    Asked asked{&passphrase};
    BIO* source = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
    PkeyPtr key(PEM_read_bio_PrivateKey(source, nullptr, give_passphrase, &asked));
    BIO_free(source);
    ERR_clear_error();
    if (key)
        return key;
    if (asked.was_asked && passphrase.empty())
        return fail(Kind::invalid, "the key is protected by a passphrase and none was given",
                    "give its passphrase");
    if (asked.was_asked)
        return fail(Kind::auth, "the passphrase is wrong",
                    "check the passphrase: ssh-keygen -y -f FILE asks for it too");
    return fail(Kind::invalid, "the file holds no private key that can be read",
                "give an OpenSSH or PEM private key: ssh-keygen -t ed25519 makes one");
}

Result<PkeyPtr> parse(const std::string& text, const Secret& passphrase) {
    if (text.find("-----BEGIN OPENSSH PRIVATE KEY-----") != std::string::npos)
        return parse_openssh_key(text, passphrase);
    if (text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("---- BEGIN SSH2 PUBLIC"))
        return fail(Kind::invalid, "the file holds the public half of a key",
                    "give the private key's file: the same name without .pub");
    if (text.starts_with("PuTTY-User-Key-File"))
        return fail(Kind::invalid, "the file is a PuTTY key",
                    "convert it: puttygen FILE -O private-openssh -o NEW");
    return parse_pem(text, passphrase);
}

Result<std::string> read_key_file(const std::filesystem::path& path, const std::string& shown) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0)
        return fail(Kind::invalid, std::strerror(errno),
                    fmt::format("make a key: ssh-keygen -t ed25519 -f {}", shown));
    if (!S_ISREG(facts.st_mode))
        return fail(Kind::invalid, "it is not a file", "give the path of the private key itself");
    if (facts.st_size > (1 << 20))
        return fail(Kind::invalid, "it is too large to be a key", "give the path of the private key itself");
    if ((facts.st_mode & 077) != 0)
        log::warn("ssh key {} can be read by others; make it private: chmod 600 {}", shown, shown);
    Result<std::string> text = read_file(path);
    if (!text)
        return fail(Kind::invalid, "it cannot be read", "check who owns it: ls -l " + shown);
    return text;
}

std::string ecdsa_blob(const std::string& der) {
    const unsigned char* at = bytes_of(der);
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string blob;
    if (!signature)
        return blob;
    for (const BIGNUM* number : {ECDSA_SIG_get0_r(signature), ECDSA_SIG_get0_s(signature)}) {
        std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
        BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
        put_mpint(blob, bytes);
    }
    ECDSA_SIG_free(signature);
    return blob;
}

// Which hash goes with the algorithm; false when it is not one we sign with (ssh-rsa means SHA-1: never).
bool digest_for(std::string_view algorithm, const EVP_MD*& digest) {
    digest = nullptr;
    if (algorithm == "ssh-ed25519")
        return true;
    if (algorithm == "rsa-sha2-512" || algorithm == "ecdsa-sha2-nistp521")
        digest = EVP_sha512();
    else if (algorithm == "ecdsa-sha2-nistp384")
        digest = EVP_sha384();
    else if (algorithm == "rsa-sha2-256" || algorithm == "ecdsa-sha2-nistp256")
        digest = EVP_sha256();
    return digest != nullptr;
}

} // namespace

std::string PrivateKey::blob(std::string_view algorithm) const {
    std::string blob;
    put_string(blob, algorithm);
    return blob + public_fields_;
}

std::string PrivateKey::sign(std::string_view algorithm, std::string_view data) const {
    const EVP_MD* digest = nullptr;
    if (!digest_for(algorithm, digest))
        return {};
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::string signature;
    std::size_t length = 0;
    const bool done =
        EVP_DigestSignInit(context, nullptr, digest, nullptr, key_.get()) == 1 &&
        EVP_DigestSign(context, nullptr, &length, bytes_of(data), data.size()) == 1 &&
        (signature.resize(length), EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()),
                                                  &length, bytes_of(data), data.size()) == 1);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (!done)
        return {};
    signature.resize(length);
    return algorithm.starts_with("ecdsa-") ? ecdsa_blob(signature) : signature;
}

std::string blob_of_line(const std::string& line) {
    const std::vector<std::string> fields = split(trim(line), ' ');
    if (fields.size() < 2)
        return {};
    std::string blob = base64_decode(fields[1]);
    return WireReader(blob).string() == fields[0] ? blob : std::string();
}

Result<KeyFacts> look_at_key(std::filesystem::path path, std::string shown) {
    Result<std::string> text = read_key_file(path, shown);
    if (!text)
        return fail(text.error().in("read the ssh key " + shown));
    KeyFacts facts;
    if (text->find("-----BEGIN OPENSSH PRIVATE KEY-----") != std::string::npos) {
        Result<KeyFacts> inner = look_at_openssh_key(*text);
        if (!inner)
            return fail(inner.error().in("read the ssh key " + shown));
        facts = std::move(*inner);
    } else {
        facts.is_encrypted = text->find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string::npos ||
                             text->find("Proc-Type: 4,ENCRYPTED") != std::string::npos;
    }
    wipe(*text);
    if (facts.public_blob.empty())
        if (const Result<std::string> line = read_file(path.string() + ".pub"))
            facts.public_blob = blob_of_line(*line);
    return facts;
}

Result<std::shared_ptr<PrivateKey>> load_private_key(std::filesystem::path path, std::string shown,
                                                     Secret passphrase) {
    const std::string context = "read the ssh key " + shown;
    if (shown.empty())
        return fail(Kind::invalid, "log in by ssh: no private key was named",
                    "make one: ssh-keygen -t ed25519");
    Result<std::string> text = read_key_file(path, shown);
    if (!text)
        return fail(text.error().in(context));
    Result<PkeyPtr> key = parse(*text, passphrase);
    wipe(*text);
    if (!key)
        return fail(key.error().in(context));
    std::optional<Identity> identity = identify(key->get());
    if (!identity)
        return fail(Kind::invalid, context + ": keys of this type cannot log in by ssh",
                    "use an ed25519 key: ssh-keygen -t ed25519");
    return std::make_shared<PrivateKey>(std::move(*key), std::move(identity->type),
                                        std::move(identity->public_fields));
}

} // namespace podsmith::ssh
