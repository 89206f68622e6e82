// The connection is cut at many points: nothing half-written shows, and the next transfer completes without
// sending again what had arrived.
#include "sync/transfer.hpp"
#include "unit/ssh/world.hpp"
#include "unit/sync/scratch.hpp"

#include <random>

namespace podsmith::sync {
namespace {

std::string noise(std::mt19937& random, std::size_t size) {
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>(random());
    return text;
}

// Every file at its place is whole: a tree that grows never has anything else.
void check_nothing_half(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (!std::filesystem::exists(to))
        return;
    for (auto item = std::filesystem::recursive_directory_iterator(to);
         item != std::filesystem::recursive_directory_iterator(); ++item) {
        if (item->path().filename().string().starts_with(".podsmith-part-")) {
            item.disable_recursion_pending();
            continue;
        }
        if (item->is_regular_file())
            CHECK(*read_file(item->path()) == *read_file(from / std::filesystem::relative(item->path(), to)));
    }
}

using Transfer = Async<Summary> (*)(net::Loop&, std::shared_ptr<ssh::Session>, Options,
                                    std::shared_ptr<Progress>);

// One transfer that is cut when `bytes` are on their way; true when it was done before.
bool run_cut(ssh::Fixture& f, Transfer transfer, const Options& options, std::uint64_t bytes) {
    auto progress = std::make_shared<Progress>();
    std::optional<Result<Summary>> result;
    std::function<void(Result<Summary>)> done = [&](Result<Summary> value) { result = std::move(value); };
    net::start<Summary>(f.world.loop, transfer(f.world.loop, f.session, options, progress), std::move(done));
    f.world.run_until(
        [&] { return result.has_value() || (progress->is_planned && progress->bytes >= bytes); });
    const bool was_cut = !result.has_value();
    if (was_cut)
        f.sshd->kill_all();
    f.world.run_until([&] { return result.has_value(); });
    if (was_cut) {
        f.sshd->restart();
        f.session = f.world.session(*f.sshd, f.key);
    }
    if (*result)
        return true;
    const Kind kind = result->error().kind;
    CHECK((kind == Kind::network || kind == Kind::protocol));
    CHECK(result->error().retryable);
    return false;
}

void check_cuts(Transfer transfer, bool is_push, int cuts, const std::string& config = "") {
    ssh::Fixture f(config);
    if (!f.sshd)
        return;
    std::mt19937 random(7);
    const Scratch scratch;
    const std::filesystem::path from = scratch.path / "from";
    for (int i = 0; i < 300; ++i)
        put(from / ("d" + std::to_string(i % 7)) / std::to_string(i), noise(random, random() % 20'000));
    put(from / "large", noise(random, 5'500'000));
    std::uint64_t kept = 0; // files that an earlier round had brought over
    for (int cut = 0; cut < cuts; ++cut) {
        CAPTURE(cut);
        const std::filesystem::path to = scratch.path / ("to" + std::to_string(cut));
        Options options;
        options.local = is_push ? from.string() : to.string();
        options.remote = is_push ? to.string() : from.string();
        options.large = 2'000'000;
        options.piece = 1u << 20;
        options.state = scratch.path / "state";
        for (int round = 0; round < 3; ++round) {
            if (run_cut(f, transfer, options, random() % 8'500'000))
                break;
            check_nothing_half(from, to);
        }
        const Result<Summary> last =
            f.world.wait(transfer(f.world.loop, f.session, options, std::make_shared<Progress>()));
        REQUIRE_MESSAGE(last, (last ? "" : last.error().text()));
        kept += last->resumed + last->unchanged;
        CHECK(same_content(from, to));
        CHECK(described(from) == described(to));
        tests::run_program({"rm", "-rf", to.string()});
    }
    CHECK(kept > 0);
}

} // namespace

TEST_CASE("a push that is cut at random points completes") {
    check_cuts(&push, true, 50);
}

TEST_CASE("the same where python3 is missing") {
    const Scratch tools;
    link_tools(tools, {"sh", "tar", "find", "xargs", "sha256sum", "sed", "mkdir", "rm", "rmdir", "mv",
                       "chmod", "touch", "wc", "dd", "gzip"});
    check_cuts(&push, true, 20, path_config(tools));
}

TEST_CASE("a pull that is cut at random points completes") {
    check_cuts(&pull, false, 50);
}

} // namespace podsmith::sync
