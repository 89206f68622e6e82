#pragma once
#include "journal/journal.hpp"
#include "journal/names.hpp"
#include "unit/base/scratch.hpp"

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>

namespace podsmith::testing {

/// A clock that the test turns.
class ClockSystem : public System {
public:
    mutable double now = 1795338000;
    double utc() const override { return now; }
};

/// A journal in a folder of its own.
struct JournalFixture {
    Scratch scratch;
    ClockSystem system;
    std::filesystem::path state = scratch.path() / "state";

    std::unique_ptr<journal::Journal> open() {
        auto opened = journal::Journal::open(system, state);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text()));
        return std::move(*opened);
    }
};

/// All bytes of the journal's files: the database and what is still in its write-ahead log.
inline std::string raw_bytes(const std::filesystem::path& state) {
    std::string bytes;
    for (const auto& entry : std::filesystem::directory_iterator(state)) {
        if (!entry.is_regular_file())
            continue;
        std::ifstream file(entry.path(), std::ios::binary);
        bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    return bytes;
}

} // namespace podsmith::testing
