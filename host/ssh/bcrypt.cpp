#include "ssh/bcrypt.hpp"

#include "base/secret.hpp"
#include "ssh/wire.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <openssl/bn.h>
#include <openssl/sha.h>
#include <vector>

namespace podsmith::ssh {
namespace {

constexpr std::size_t kSubkeys = 18;
constexpr std::size_t kBoxWords = 4 * 256;
constexpr std::size_t kBlock = 32; // bytes that one hash gives

// Blowfish's state: 18 subkeys, then four boxes of 256 words, in one array.
using State = std::array<std::uint32_t, kSubkeys + kBoxWords>;

struct BignumDeleter {
    void operator()(BIGNUM* number) const { BN_free(number); }
};
using Bignum = std::unique_ptr<BIGNUM, BignumDeleter>;

// arctan(1/x) * 2^bits by its series.
Bignum inverse_arctan(unsigned long x, int bits) {
    Bignum term(BN_new());
    Bignum sum(BN_new());
    Bignum part(BN_new());
    BN_set_bit(term.get(), bits);
    BN_div_word(term.get(), x);
    BN_copy(sum.get(), term.get());
    for (unsigned long n = 1; !BN_is_zero(term.get()); ++n) {
        BN_div_word(term.get(), x * x);
        BN_copy(part.get(), term.get());
        BN_div_word(part.get(), 2 * n + 1);
        if (n % 2 == 1)
            BN_sub(sum.get(), sum.get(), part.get());
        else
            BN_add(sum.get(), sum.get(), part.get());
    }
    return sum;
}

// Blowfish starts from the binary digits of pi behind the point: computed once (Machin's formula) instead of
// 4 KiB of constants in the source.
State make_initial_state() {
    constexpr int kDigits = static_cast<int>(32 * (kSubkeys + kBoxWords));
    constexpr int kGuard = 64;
    const Bignum a = inverse_arctan(5, kDigits + kGuard);
    const Bignum b = inverse_arctan(239, kDigits + kGuard);
    Bignum pi(BN_new());
    BN_mul_word(a.get(), 16);
    BN_mul_word(b.get(), 4);
    BN_sub(pi.get(), a.get(), b.get());
    BN_rshift(pi.get(), pi.get(), kGuard);
    BN_mask_bits(pi.get(), kDigits);
    std::vector<unsigned char> bytes(kDigits / 8);
    BN_bn2binpad(pi.get(), bytes.data(), static_cast<int>(bytes.size()));
    State state{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        state[i / 4] = state[i / 4] << 8 | bytes[i];
    return state;
}

const State& initial_state() {
    static const State state = make_initial_state();
    return state;
}

void encipher(const State& state, std::uint32_t& left, std::uint32_t& right) {
    const std::uint32_t* box = state.data() + kSubkeys;
    for (std::size_t i = 0; i < 16; i += 2) {
        const auto round = [box](std::uint32_t x) {
            return ((box[x >> 24] + box[256 + (x >> 16 & 255)]) ^ box[512 + (x >> 8 & 255)]) +
                   box[768 + (x & 255)];
        };
        left ^= state[i];
        right ^= round(left);
        right ^= state[i + 1];
        left ^= round(right);
    }
    left ^= state[16];
    right ^= state[17];
    std::swap(left, right);
}

// Reads 32-bit words round and round from a byte string.
class Words {
public:
    explicit Words(std::string_view bytes) : bytes_(bytes) {}
    std::uint32_t next() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            value = value << 8 | static_cast<unsigned char>(bytes_[at_]);
            at_ = (at_ + 1) % bytes_.size();
        }
        return value;
    }

private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

// Mixes key (and salt, when it is not empty) into the state.
void expand(State& state, std::string_view salt, std::string_view key) {
    Words key_words(key);
    for (std::size_t i = 0; i < kSubkeys; ++i)
        state[i] ^= key_words.next();
    Words salt_words(salt);
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    for (std::size_t i = 0; i < state.size(); i += 2) {
        if (!salt.empty()) {
            left ^= salt_words.next();
            right ^= salt_words.next();
        }
        encipher(state, left, right);
        state[i] = left;
        state[i + 1] = right;
    }
}

std::string sha512(std::string_view bytes) {
    std::string digest(SHA512_DIGEST_LENGTH, '\0');
    SHA512(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

std::string bcrypt_hash(const std::string& passphrase_hash, const std::string& salt_hash) {
    State state = initial_state();
    expand(state, salt_hash, passphrase_hash);
    for (int i = 0; i < 64; ++i) {
        expand(state, {}, salt_hash);
        expand(state, {}, passphrase_hash);
    }
    Words text("OxychromaticBlowfishSwatDynamite");
    std::array<std::uint32_t, kBlock / 4> block{};
    for (auto& word : block)
        word = text.next();
    for (int i = 0; i < 64; ++i)
        for (std::size_t j = 0; j < block.size(); j += 2)
            encipher(state, block[j], block[j + 1]);
    std::string out;
    for (const std::uint32_t word : block)
        for (int shift = 0; shift < 32; shift += 8)
            out += static_cast<char>(word >> shift & 255);
    return out;
}

} // namespace

std::string bcrypt_pbkdf(std::string_view passphrase, std::string_view salt, std::uint32_t rounds,
                         std::size_t length) {
    std::string key(length, '\0');
    std::string passphrase_hash = sha512(passphrase);
    const std::size_t blocks = (length + kBlock - 1) / kBlock;
    const std::size_t amount = (length + blocks - 1) / blocks;
    for (std::size_t block = 0; block < blocks; ++block) {
        std::string counted(salt);
        put_number(counted, static_cast<std::uint32_t>(block + 1));
        std::string hash = bcrypt_hash(passphrase_hash, sha512(counted));
        std::string sum = hash;
        for (std::uint32_t round = 1; round < rounds; ++round) {
            hash = bcrypt_hash(passphrase_hash, sha512(hash));
            for (std::size_t i = 0; i < sum.size(); ++i)
                sum[i] = static_cast<char>(sum[i] ^ hash[i]);
        }
        // The blocks are interleaved, so that each byte of the key depends on all the work.
        for (std::size_t i = 0; i < amount && i * blocks + block < length; ++i)
            key[i * blocks + block] = sum[i];
        wipe(sum);
        wipe(hash);
    }
    wipe(passphrase_hash);
    return key;
}

} // namespace podsmith::ssh
