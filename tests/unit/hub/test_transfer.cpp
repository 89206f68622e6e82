#include "unit/hub/world.hpp"

using namespace podsmith;
using namespace podsmith::hub_test;
using nlohmann::json;

TEST_CASE("a branch that moves meanwhile is taken as it is, unless the parent was named") {
    World world;
    world.create();
    REQUIRE(world.upload(world.order({World::add("a.txt", world.write("a.txt", "1"))})));
    const std::string old = *world.run(hf::head_of(world.client, "model", world.id, "main"));
    REQUIRE(world.upload(world.order({World::add("b.txt", world.write("b.txt", "1"))})));
    // The commit call alone, on a head that is not the head any more.
    auto order = std::make_shared<hf::CommitOrder>();
    order->type = "model";
    order->id = world.id;
    order->revision = "main";
    order->title = "on an old head";
    order->parent = old;
    hf::CommitEntry entry;
    entry.path = "c.txt";
    entry.content = "1";
    entry.oid = hf::git_id_of_text("1");
    order->entries.push_back(entry);
    CHECK(world.run(hf::commit(world.client, order)));
    CHECK(world.run(world.client->read_text("model", world.id, "main", "c.txt", 100)).value() == "1");

    hf::UploadRequest pinned = world.order({World::add("d.txt", world.write("d.txt", "1"))});
    pinned.parent = old;
    const Result<hf::Uploaded> refused = world.upload(std::move(pinned));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::conflict);
    CHECK(refused.error().status == 412);
}

TEST_CASE("an upload without changes, with bad paths or with files that are not there is refused before "
          "anything is sent") {
    World world;
    world.create();
    const auto message = [&](std::vector<hf::Change> changes) {
        const Result<hf::Uploaded> done = world.upload(world.order(std::move(changes)));
        REQUIRE_FALSE(done);
        CHECK(done.error().kind == Kind::invalid);
        return done.error().message;
    };
    const std::string file = world.write("a.txt", "1");
    CHECK(message({}) == "upload to sim-user/tested: there is nothing to upload");
    CHECK(message({World::add("../a", file)}).find("must be relative and have no part \"..\"") !=
          std::string::npos);
    CHECK(message({World::add("/a", file)}).find("must be relative") != std::string::npos);
    CHECK(message({World::add("\xff", file)}).find("must be UTF-8") != std::string::npos);
    CHECK(message({World::add("a", file), World::add("a", file)}).find("two changes of \"a\"") !=
          std::string::npos);
    CHECK(message({World::add("a", file + "x")}).find("No such file") != std::string::npos);
    CHECK(message({World::add("a", world.scratch.path.string())}).find("is no file") != std::string::npos);
    CHECK(world.commits() == 1);
}

TEST_CASE(
    "a folder that is too much for one commit makes several, the card in the last; one_commit makes one") {
    World world;
    world.create();
    std::vector<hf::Change> changes{World::add("README.md", world.write("README.md", "# card\n"))};
    for (int i = 0; i < 1001; ++i) {
        hf::Change change;
        change.path = "many/" + std::to_string(i);
        change.content = std::to_string(i);
        changes.push_back(std::move(change));
    }
    const Result<hf::Uploaded> done = world.upload(world.order(changes));
    REQUIRE(done);
    CHECK(done->commits == 2);
    CHECK(done->files == 1002);
    CHECK(world.commits() == 3);
    for (hf::Change& change : changes)
        change.path = "again/" + change.path;
    hf::UploadRequest request = world.order(std::move(changes));
    request.one_commit = true;
    CHECK(world.upload(std::move(request)).value().commits == 1);
}

TEST_CASE("expired addresses are asked for anew") {
    World world;
    world.create();
    world.fault("PUT /*:status:403@2-3");
    const std::string large = World::bytes(450'000, 5);
    REQUIRE(world.upload(world.order({World::add("large.bin", world.write("large.bin", large))})));
    REQUIRE(world.download(world.wish()));
    CHECK(World::read(world.scratch.path / "down" / "large.bin") == large);
}

TEST_CASE("wrong content is not taken, whatever the length") {
    World world;
    world.create();
    REQUIRE(world.upload(world.order({World::add("note.txt", world.write("note.txt", "text"))})));
    const Result<hf::Downloaded> back = world.download(world.wish());
    REQUIRE(back);
    // A file of the user's own with the same size is replaced; one that is right is left alone.
    std::ofstream(world.scratch.path / "down" / "note.txt") << "taxt";
    CHECK(world.download(world.wish()).value().unchanged == 1);
    CHECK(World::read(world.scratch.path / "down" / "note.txt") == "text");
}

TEST_CASE("a pull request is opened once though the answer is lost, and what is too much for one commit goes "
          "into it too") {
    World world;
    world.create();
    std::vector<hf::Change> changes;
    for (int i = 0; i < 1001; ++i) {
        hf::Change change;
        change.path = std::to_string(i);
        change.content = std::to_string(i);
        changes.push_back(std::move(change));
    }
    hf::UploadRequest request = world.order(std::move(changes));
    request.create_pr = true;
    world.fault("POST /api/models/*/commit/*:drop_after@1");
    const Result<hf::Uploaded> done = world.upload(std::move(request));
    world.end_faults();
    INFO((done ? std::string() : done.error().text()));
    REQUIRE(done);
    CHECK(done->commits == 2);
    CHECK(done->pull_request == world.simulator->hub_url() + "/sim-user/tested/discussions/1");
    CHECK(world.run(world.client->refs("model", world.id)).value()["pullRequests"].size() == 1);
    CHECK(world.commits() == 1); // main is as it was
    CHECK(world.commits("refs%2Fpr%2F1") == 3);
}

TEST_CASE("a commit that landed though the gateway gave up is found in the branch") {
    World world;
    world.create();
    world.fault("POST /api/models/*/commit/*:status_after:504@1");
    world.fault("GET /api/models/*/revision/*:delay:0.1");
    REQUIRE(world.upload(world.order({World::add("a.txt", world.write("a.txt", "1"))})));
    CHECK(world.commits() == 2);
    REQUIRE(world.upload(world.order({World::add("b.txt", world.write("b.txt", "1"))})));
    CHECK(world.commits() == 3);
}

TEST_CASE("a file that is written to while it goes up is not committed") {
    World world;
    world.create();
    const std::string file = world.write("growing.bin", World::bytes(250'000, 7));
    world.fault("PUT /*:delay:0.5");
    net::Timer writer(world.loop);
    writer.start(0.2, [&](bool) { std::ofstream(file, std::ios::app | std::ios::binary) << "more"; });
    const Result<hf::Uploaded> done = world.upload(world.order({World::add("growing.bin", file)}));
    REQUIRE_FALSE(done);
    CHECK(done.error().kind == Kind::conflict);
    CHECK(done.error().message == file + " was written to while it was being uploaded");
    CHECK(world.commits() == 1);
}
