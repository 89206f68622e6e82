#include "base/system.hpp"
#include "base/text.hpp"
#include "ssh/upload.hpp"
#include "unit/ssh/world.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::ssh {
namespace {

unsigned mode_of(const std::filesystem::path& path) {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    return names;
}

} // namespace

TEST_CASE("uploads arrive whole, with their mode, under odd names, and leave nothing beside them") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto folder = f.sshd->folder() / "up load";
    std::string binary;
    for (int i = 0; i < 3'000'000; ++i)
        binary += static_cast<char>(i * 7 + i / 256);
    const std::vector<std::string> names{"plain", "with space", "it's",  "-n",
                                         "a\nb",  "$(id)",      "\"q\"", "ünï"};
    for (const std::string& name : names) {
        CAPTURE(name);
        const auto path = folder / name;
        const auto done = f.world.wait(f.session->upload(binary, path.string(), 0640));
        REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
        CHECK(*read_file(path) == binary);
        CHECK(mode_of(path) == 0640);
    }
    CHECK(names_in(folder).size() == names.size());
}

TEST_CASE("an upload replaces a file, and an empty one is fine too") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto path = f.sshd->folder() / "file";
    REQUIRE(f.world.wait(f.session->upload("old", path.string(), 0600)));
    REQUIRE(f.world.wait(f.session->upload("", path.string(), 0755)));
    CHECK(read_file(path)->empty());
    CHECK(mode_of(path) == 0755);
}

TEST_CASE("a local file is streamed to the other side") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto local = f.sshd->folder() / "local";
    const std::string content(12'345'678, 'z');
    REQUIRE(write_file(local, content));
    const auto remote = f.sshd->folder() / "a/b/remote";
    const auto done = f.world.wait(f.session->upload_file(local.string(), remote.string(), 0600));
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
    CHECK(*read_file(remote) == content);
    CHECK(mode_of(remote) == 0600);
    const auto missing = f.world.wait(f.session->upload_file("/no/such/file", remote.string()));
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == Kind::not_found);
    CHECK(missing.error().message == "upload /no/such/file: No such file or directory");
}

TEST_CASE("an upload that cannot be written gives the remote reason") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto file = f.sshd->folder() / "file";
    REQUIRE(write_file(file, "x"));
    const std::string server = f.sshd->user() + "@127.0.0.1:" + std::to_string(f.sshd->port());
    const auto inside =
        f.world.wait(f.session->upload(std::string(5'000'000, 'x'), (file / "sub/x").string()));
    REQUIRE_FALSE(inside);
    CHECK(inside.error().kind == Kind::io);
    CHECK(inside.error().message.starts_with("upload to " + (file / "sub/x").string() + " on " + server +
                                             ": mkdir: "));
    const auto folder = f.world.wait(f.session->upload("x", f.sshd->folder().string()));
    REQUIRE_FALSE(folder);
    CHECK(folder.error().message ==
          "upload to " + f.sshd->folder().string() + " on " + server + ": it is a folder");
    CHECK(f.world.wait(f.session->upload("x", "")).error().kind == Kind::invalid);
    CHECK(f.world.wait(f.session->upload("x", "/tmp/")).error().kind == Kind::invalid);
}

TEST_CASE("a full disk on the other side is said, and the old file stays") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto disk = f.sshd->folder() / "disk";
    std::filesystem::create_directory(disk);
    tests::run_program({"mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.string()});
    if (!std::filesystem::exists("/proc/self/mounts") ||
        read_file("/proc/self/mounts")->find(disk.string() + " ") == std::string::npos) {
        MESSAGE("skipped: a small disk cannot be mounted here");
        return;
    }
    REQUIRE(f.world.wait(f.session->upload("old", (disk / "file").string())));
    const auto full = f.world.wait(f.session->upload(std::string(5'000'000, 'x'), (disk / "file").string()));
    const auto names = names_in(disk);
    const auto content = read_file(disk / "file");
    tests::run_program({"umount", disk.string()});
    REQUIRE_FALSE(full);
    CHECK(full.error().kind == Kind::io);
    CHECK(full.error().message.find("No space left on device") != std::string::npos);
    CHECK(full.error().hint.find("df -h") != std::string::npos);
    CHECK(names == std::vector<std::string>{"file"});
    CHECK(*content == "old");
}

TEST_CASE("half an upload never takes the place of a file") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto path = f.sshd->folder() / "file";
    REQUIRE(f.world.wait(f.session->upload("old", path.string())));
    // The receiver, given fewer bytes than promised: what it sees when the connection breaks.
    ExecRequest request;
    request.command = *upload_command(path.string(), 0644, 10, "tag");
    request.input = "half";
    const auto result = f.world.wait(f.session->exec(std::move(request)));
    REQUIRE(result);
    CHECK(result->exit.code != 0);
    CHECK(result->err == "only a part of it arrived\n");
    CHECK(*read_file(path) == "old");
    CHECK_FALSE(std::filesystem::exists(path.string() + ".podsmith-tag"));
}

} // namespace podsmith::ssh
