#include "sim/line.hpp"
#include "ssh/transport.hpp"
#include "sync/claim.hpp"
#include "sync/jobs.hpp"
#include "sync/listing.hpp"
#include "sync/transfer.hpp"
#include "unit/ssh/world.hpp"
#include "unit/sync/scratch.hpp"

#include <fmt/format.h>
#include <random>
#include <thread>

namespace podsmith::sync {
namespace {

struct Bench : ssh::Fixture {
    Scratch scratch;
    explicit Bench(const std::string& config = "") : ssh::Fixture(config) {}

    Options options(const std::string& local, const std::string& remote) const {
        Options options;
        options.local = local;
        options.remote = remote;
        options.state = scratch.path / "state";
        return options;
    }
    Result<Summary> push(const Options& options) {
        return world.wait(sync::push(world.loop, session, options, std::make_shared<Progress>()));
    }
    Result<Summary> pull(const Options& options) {
        return world.wait(sync::pull(world.loop, session, options, std::make_shared<Progress>()));
    }
};

// The server behind a line of 30 ms.
struct FarBench : Bench {
    std::shared_ptr<sim::LineShape> shape = std::make_shared<sim::LineShape>();
    std::shared_ptr<sim::Line> line;
    explicit FarBench(const std::string& config = "") : Bench(config) {
        if (!sshd)
            return;
        shape->rtt = 0.03;
        line = *sim::Line::open(world.loop, shape);
        line->lead_to(sshd->port());
        ssh::ConnectRequest request = world.request(*sshd, key);
        request.port = line->port();
        session = *world.connect(std::move(request));
        REQUIRE(world.output(session, "echo near") == "near\n"); // the round trip is known from here on
    }
    ~FarBench() {
        if (line)
            line->close();
    }
    /// Bytes that have gone through the line.
    std::uint64_t passed() const { return line->passed(); }
    std::size_t count_connections() const { return line->connections(); }
};

std::string lines(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i)
        text += "step " + std::to_string(i) + " loss " + std::to_string(i * 7919 % 10007) + "\n";
    return text;
}

std::string noise(std::size_t size) {
    std::mt19937 random(3);
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>(random());
    return text;
}

std::string text_of(const Result<Summary>& result) {
    return result ? "" : result.error().text();
}

// There and back, and nothing to do the second time.
void check_round_trip(Bench& bench, bool seconds) {
    const std::string here = bench.scratch / "here";
    const std::string there = bench.scratch / "there";
    const std::string back = bench.scratch / "back";
    put_odd_tree(here);
    put(here + "/large", std::string(5'000'000, 'L'));
    Options options = bench.options(here, there);
    options.large = 2'000'000;
    options.piece = 1u << 20;
    const Result<Summary> pushed = bench.push(options);
    REQUIRE_MESSAGE(pushed, text_of(pushed));
    CHECK(same_content(here, there));
    CHECK(described(here, seconds) == described(there, seconds));
    const Result<Summary> again = bench.push(options);
    REQUIRE_MESSAGE(again, text_of(again));
    CHECK(again->files == 0);
    CHECK(again->changes.empty());
    Options other = bench.options(back, there);
    other.large = 2'000'000;
    other.piece = 1u << 20;
    const Result<Summary> pulled = bench.pull(other);
    REQUIRE_MESSAGE(pulled, text_of(pulled));
    CHECK(pulled->files == pushed->files);
    CHECK(same_content(here, back));
    CHECK(described(here, seconds) == described(back, seconds));
    CHECK(bench.pull(other)->files == 0);
}

} // namespace

TEST_CASE("over a long line the next command's channel stands ready") {
    FarBench bench;
    if (!bench.sshd)
        return;
    const ssh::Transport::Spares& spares = bench.session->transport()->spares;
    bench.world.run_until([&] { return spares.ready.size() == 1; });
    LIBSSH2_CHANNEL* ready = spares.ready.front().raw;
    CHECK(bench.world.output(bench.session, "echo taken") == "taken\n");
    CHECK((spares.ready.empty() || spares.ready.front().raw != ready));
    bench.session->prepare(3);
    bench.world.run_until([&] { return spares.ready.size() == 3; });
    for (int i = 0; i < 5; ++i)
        CHECK(bench.world.output(bench.session, "cat; echo done") == "done\n");
}

TEST_CASE("what is worth packing is packed on every connection of a push") {
    FarBench bench;
    if (!bench.sshd)
        return;
    constexpr std::size_t kFiles = 40;
    for (std::size_t i = 0; i < kFiles; ++i)
        put(bench.scratch.path / "here" / std::to_string(i), lines(1'000'000));
    const std::uint64_t before = bench.passed();
    REQUIRE(bench.push(bench.options(bench.scratch / "here", bench.scratch / "there")));
    CHECK(bench.count_connections() > 1);
    CHECK(bench.passed() - before < kFiles * 450'000);
}

TEST_CASE("channels opened ahead take no room from commands where the server has little") {
    for (const char* config : {"MaxSessions 1\n", "MaxSessions 2\n"}) {
        FarBench bench(config);
        if (!bench.sshd)
            return;
        bench.session->prepare(3);
        int good = 0;
        int ended = 0;
        for (int i = 0; i < 4; ++i) {
            ssh::ExecRequest request;
            request.command = "sleep 0.05; echo ok";
            std::function<void(Result<ssh::ExecResult>)> done = [&](Result<ssh::ExecResult> result) {
                ++ended;
                good += result && result->out == "ok\n" ? 1 : 0;
            };
            net::start<ssh::ExecResult>(bench.world.loop, bench.session->exec(std::move(request)),
                                        std::move(done));
        }
        bench.world.run_until([&] { return ended == 4; });
        CHECK(good == 4);
        CHECK(bench.session->transport()->spares.is_refused);
    }
}

TEST_CASE("files are split into as many segments as there are channels, with no small one left over") {
    Bench bench;
    if (!bench.sshd)
        return;
    std::vector<Entry> files(5);
    for (Entry& file : files)
        file.size = 9'000'001;
    const std::size_t channels = channels_for(*bench.session, 45'000'005);
    CHECK(split_segments(files, *bench.session, 1000).size() <= channels);
}

TEST_CASE("a tree of odd names goes there and back with its modes, times and links") {
    Bench bench;
    if (bench.sshd)
        check_round_trip(bench, false);
}

TEST_CASE("the same without python3") {
    const Scratch tools;
    link_tools(tools, {"sh", "tar", "find", "xargs", "sha256sum", "sed", "mkdir", "rm", "rmdir", "mv",
                       "chmod", "touch", "wc", "cat", "dd", "stat"});
    Bench bench(path_config(tools));
    if (!bench.sshd)
        return;
    REQUIRE(bench.world.output(bench.session, "command -v python3 || echo none") == "none\n");
    check_round_trip(bench, false);
}

TEST_CASE("the same with nothing but busybox, to the second") {
    const std::string found = tests::run_program({"sh", "-c", "command -v busybox"});
    if (found.empty()) {
        MESSAGE("skipped: busybox is not installed");
        return;
    }
    const Scratch tools;
    link_tools(tools,
               {"sh", "tar", "find", "xargs", "sha256sum", "sed", "mkdir", "rm", "rmdir", "mv", "chmod",
                "touch", "wc", "cat", "dd", "stat", "readlink", "gzip"},
               found.substr(0, found.size() - 1));
    Bench bench(path_config(tools));
    if (bench.sshd)
        check_round_trip(bench, true);
}

TEST_CASE("over a long line, on several connections, packed and unpacked") {
    for (const bool has_python : {true, false}) {
        CAPTURE(has_python);
        const Scratch tools;
        link_tools(tools, {"sh", "tar", "find", "xargs", "sha256sum", "sed", "mkdir", "rm", "rmdir", "mv",
                           "chmod", "touch", "wc", "cat", "dd", "stat", "head", "gzip"});
        FarBench bench(has_python ? "" : path_config(tools));
        if (!bench.sshd)
            return;
        REQUIRE(is_far(*bench.session));
        // A second connection for every 16 MiB; the text shrinks, the noise does not.
        put(bench.scratch.path / "here/text", lines(40'000'000));
        put(bench.scratch.path / "here/noise", noise(3'000'000));
        for (int i = 0; i < 40; ++i)
            put(bench.scratch.path / "here/logs" / std::to_string(i), lines(30'000));
        check_round_trip(bench, false);
        CHECK(bench.count_connections() > 1);
    }
}

TEST_CASE("a stream that shrinks is packed, over a long line alone, and not where that is unwanted") {
    FarBench bench;
    if (!bench.sshd)
        return;
    put(bench.scratch.path / "here/text", lines(4'000'000));
    Options options = bench.options(bench.scratch / "here", bench.scratch / "plain");
    options.compress = false;
    const std::uint64_t before = bench.passed();
    REQUIRE(bench.push(options));
    const std::uint64_t plain = bench.passed() - before;
    CHECK(plain > 4'000'000);
    options.remote = bench.scratch / "packed";
    options.compress = true;
    REQUIRE(bench.push(options));
    CHECK(bench.passed() - before - plain < 2'000'000);
    CHECK(same_content(bench.scratch / "here", bench.scratch / "packed"));

    options.local = bench.scratch / "back";
    const std::uint64_t pushed = bench.passed();
    REQUIRE(bench.pull(options));
    CHECK(bench.passed() - pushed < 2'000'000);
    CHECK(same_content(bench.scratch / "here", bench.scratch / "back"));
    options.local = bench.scratch / "back in pieces";
    options.large = 1'000'000;
    options.piece = 1u << 20;
    const std::uint64_t pulled = bench.passed();
    REQUIRE(bench.pull(options));
    CHECK(bench.passed() - pulled < 2'000'000);
    CHECK(same_content(bench.scratch / "here", bench.scratch / "back in pieces"));
}

TEST_CASE("single files take the name they are given, or go into a folder") {
    Bench bench;
    if (!bench.sshd)
        return;
    put(bench.scratch.path / "a.txt", "one", 0640);
    REQUIRE(bench.push(bench.options(bench.scratch / "a.txt", bench.scratch / "r/b.txt")));
    CHECK(*read_file(bench.scratch / "r/b.txt") == "one");
    REQUIRE(bench.push(bench.options(bench.scratch / "a.txt", bench.scratch / "r/")));
    CHECK(*read_file(bench.scratch / "r/a.txt") == "one");
    REQUIRE(bench.pull(bench.options(bench.scratch / "l/c.txt", bench.scratch / "r/b.txt")));
    CHECK(*read_file(bench.scratch / "l/c.txt") == "one");
    REQUIRE(bench.pull(bench.options(bench.scratch / "l/", bench.scratch / "r/b.txt")));
    CHECK(*read_file(bench.scratch / "l/b.txt") == "one");
    const Result<Summary> folder = bench.push(bench.options(bench.scratch / "a.txt", bench.scratch / "r"));
    REQUIRE_FALSE(folder);
    CHECK(folder.error().kind == Kind::conflict);
    CHECK(folder.error().hint == "end the remote path with a slash to push into that folder");
    const Result<Summary> missing = bench.pull(bench.options(bench.scratch / "x", bench.scratch / "none"));
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == Kind::not_found);
}

TEST_CASE("a dry run changes nothing, delete only what is not ignored, and never all by accident") {
    Bench bench;
    if (!bench.sshd)
        return;
    const std::filesystem::path here = bench.scratch.path / "here";
    const std::filesystem::path there = bench.scratch.path / "there";
    put(here / "a", "a");
    put(there / "old/x", "x");
    put(there / "keep.pyc", "k");
    Options options = bench.options(here.string(), there.string());
    options.remove = true;
    options.dry_run = true;
    const Result<Summary> plan = bench.push(options);
    REQUIRE_MESSAGE(plan, text_of(plan));
    CHECK(plan->changes.size() == 3);
    CHECK_FALSE(std::filesystem::exists(there / "a"));
    options.dry_run = false;
    REQUIRE(bench.push(options));
    CHECK(std::filesystem::exists(there / "a"));
    CHECK_FALSE(std::filesystem::exists(there / "old"));
    CHECK(std::filesystem::exists(there / "keep.pyc"));
    std::filesystem::remove(here / "a");
    const Result<Summary> empty = bench.push(options);
    REQUIRE_FALSE(empty);
    CHECK(empty.error().kind == Kind::conflict);
    CHECK(std::filesystem::exists(there / "a"));
    options.allow_empty = true;
    REQUIRE(bench.push(options));
    CHECK_FALSE(std::filesystem::exists(there / "a"));
}

TEST_CASE("a link in the way of a folder is replaced, not followed, on both sides") {
    Bench bench;
    if (!bench.sshd)
        return;
    put(bench.scratch.path / "here/d/f", "new");
    std::filesystem::create_directories(bench.scratch.path / "outside");
    for (const char* side : {"there", "back"}) {
        std::filesystem::create_directories(bench.scratch.path / side);
        std::filesystem::create_symlink(bench.scratch.path / "outside", bench.scratch.path / side / "d");
    }
    REQUIRE(bench.push(bench.options(bench.scratch / "here", bench.scratch / "there")));
    REQUIRE(bench.pull(bench.options(bench.scratch / "back", bench.scratch / "there")));
    CHECK(*read_file(bench.scratch / "there/d/f") == "new");
    CHECK(*read_file(bench.scratch / "back/d/f") == "new");
    CHECK(std::filesystem::is_empty(bench.scratch.path / "outside"));
}

TEST_CASE(
    "a server that lists what leads out, or sends other bytes than its hash says, writes nothing here") {
    const Scratch tools;
    put(tools.path / "find", "#!/bin/sh\n[ \"$1\" = / ] && exit 0\nprintf 'f 1 1.0 644\\0../evil\\0\\0'\n",
        0755);
    Bench hostile("SetEnv PATH=" + tools.path.string() + ":/usr/bin:/bin HOME=" + tools.path.string() + "\n");
    if (!hostile.sshd)
        return;
    put(hostile.scratch.path / "there/f", "right");
    const Result<Summary> out =
        hostile.pull(hostile.options(hostile.scratch / "a/back", hostile.scratch / "there"));
    REQUIRE_FALSE(out);
    CHECK(out.error().kind == Kind::protocol);
    CHECK_FALSE(std::filesystem::exists(hostile.scratch.path / "a"));
    std::filesystem::remove(tools.path / "find");
    put(tools.path / "cat", "#!/bin/sh\nexec printf wrong\n", 0755);
    const Result<Summary> wrong =
        hostile.pull(hostile.options(hostile.scratch / "b", hostile.scratch / "there"));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind == Kind::conflict);
    CHECK(wrong.error().message.find("f did not arrive as listed, three times") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(hostile.scratch.path / "b/f"));
}

TEST_CASE("what arrives otherwise than it was sent is named and not put in place") {
    // With python3 the stream is altered on its way, without it what tar has unpacked.
    for (const bool has_python : {true, false}) {
        CAPTURE(has_python);
        const Scratch tools;
        if (has_python)
            put(tools.path / "python3", "#!/bin/sh\nsed s/good/evil/ | exec /usr/bin/python3 \"$@\"\n", 0755);
        else
            put(tools.path / "tar",
                "#!/bin/sh\n/usr/bin/tar \"$@\" && case $PWD in */a*) [ ! -f t/bad ] || echo x > t/bad;; "
                "esac\n",
                0755);
        link_tools(tools, {"sh", "tar", "find", "xargs", "sha256sum", "sed", "mkdir", "rm", "rmdir", "mv"});
        Bench bench(path_config(tools));
        if (!bench.sshd)
            return;
        put(bench.scratch.path / "here/bad", "good");
        put(bench.scratch.path / "here/other", "fine");
        const Result<Summary> pushed =
            bench.push(bench.options(bench.scratch / "here", bench.scratch / "there"));
        REQUIRE_FALSE(pushed);
        CHECK(pushed.error().kind == Kind::protocol);
        CHECK(pushed.error().message.ends_with(fmt::format("what arrived is not what was sent: bad{}",
                                                           has_python ? ", or what was sent with it" : "")));
        CHECK_FALSE(std::filesystem::exists(bench.scratch.path / "there/bad"));
        CHECK_FALSE(std::filesystem::exists(bench.scratch.path / "there/other")); // was in the same frame
    }
}

TEST_CASE("a full disk there is said with its remedy, and the push completes when there is room") {
    Bench bench;
    if (!bench.sshd)
        return;
    const std::string disk = bench.scratch / "disk";
    std::filesystem::create_directory(disk);
    tests::run_program({"mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk});
    if (read_file("/proc/self/mounts")->find(disk + " ") == std::string::npos) {
        MESSAGE("skipped: a small disk cannot be mounted here");
        return;
    }
    for (int i = 0; i < 5; ++i)
        put(bench.scratch.path / "here" / std::to_string(i),
            std::string(700'000, static_cast<char>('a' + i)));
    for (const std::uint64_t large : {std::uint64_t{1} << 30, std::uint64_t{500'000}}) {
        Options options = bench.options(bench.scratch / "here", disk + "/t");
        options.large = large;
        const Result<Summary> full = bench.push(options);
        CHECK_FALSE(full);
        if (!full) {
            CHECK(full.error().kind == Kind::io);
            CHECK(full.error().message.find("No space left on device") != std::string::npos);
            CHECK(full.error().hint.find("df -h") != std::string::npos);
        }
    }
    tests::run_program({"mount", "-o", "remount,size=20m", disk});
    const Result<Summary> done = bench.push(bench.options(bench.scratch / "here", disk + "/t"));
    CHECK_MESSAGE(done, text_of(done));
    CHECK(same_content(bench.scratch / "here", disk + "/t"));
    tests::run_program({"umount", disk});
}

TEST_CASE("the same transfer twice at once is refused") {
    Bench bench;
    if (!bench.sshd)
        return;
    put(bench.scratch.path / "here/f", "f");
    const Options options = bench.options(bench.scratch / "here", bench.scratch / "there");
    std::optional<Result<Claim>> other =
        claim(options.state, words_of("push", options, *bench.session), std::string(24, 'x'));
    REQUIRE(*other);
    const Result<Summary> refused = bench.push(options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::conflict);
    CHECK(refused.error().message.ends_with("the same transfer is under way already"));

    other.reset();
    CHECK(bench.push(options));
}

TEST_CASE("a transfer whose end is at hand is waited for") {
    const Scratch scratch;
    std::optional<Result<Claim>> first = claim(scratch.path, "words", "name");
    REQUIRE(*first);
    std::thread ending([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        first.reset();
    });
    CHECK(claim(scratch.path, "words", "name"));
    ending.join();
}

} // namespace podsmith::sync
