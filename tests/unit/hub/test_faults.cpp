// Every call of the Hub client meets every kind of fault once: it succeeds, or fails with one clear error; a
// commit is never made twice.
#include "unit/hub/world.hpp"

using namespace podsmith;
using namespace podsmith::hub_test;
using nlohmann::json;

namespace {

const char* const kFaults[] = {"status:500",       "status:503/1", "status:429/1", "status_after:504",
                               "status_after:500", "drop_before",  "drop_after",   "reset",
                               "malformed",        "truncate",     "delay:0.2",    "drip:0.2"};

/// A fault on the first call of a route.
std::string first(const std::string& route, const std::string& fault) {
    return route + ":" + fault + "@1";
}

void check_clear(const Error& error) {
    CAPTURE(error.text());
    CHECK(error.kind != Kind::internal);
    CHECK(error.kind != Kind::script);
    CHECK(error.message.size() > 20);
    CHECK(error.message.find("sim-user/tested") + error.message.find("whoami") != 2 * std::string::npos);
}

template <class T>
void check_outcome(const Result<T>& result) {
    if (!result)
        check_clear(result.error());
}

} // namespace

TEST_CASE("every read of the Hub survives every fault, or says clearly what happened") {
    struct Row {
        const char* route;
        std::function<void(World&)> call;
    };
    const Row rows[] = {
        {"GET /api/whoami-v2",
         [](World& w) {
             hf::Client fresh(w.http, w.simulator->hub_url(),
                              Secret(w.simulator->environment().at("HF_TOKEN"), "HF_TOKEN"));
             check_outcome(w.run(fresh.whoami())); // the client remembers who it is
         }},
        {"GET /api/models/*", [](World& w) { check_outcome(w.run(w.client->model_info(w.id, "", true))); }},
        {"GET /api/models/*",
         [](World& w) { check_outcome(w.run(w.client->auth_check("model", w.id, true))); }},
        {"GET /api/models/*",
         [](World& w) { check_outcome(w.run(w.client->list_tree("model", w.id, "main", ""))); }},
        {"GET /api/models/*", [](World& w) { check_outcome(w.run(w.client->refs("model", w.id))); }},
        {"POST /api/models/*",
         [](World& w) {
             check_outcome(w.run(w.client->paths_info("model", w.id, "main", {".gitattributes"})));
         }},
        {"GET /*",
         [](World& w) {
             check_outcome(w.run(w.client->read_text("model", w.id, "main", ".gitattributes", 1 << 20)));
         }},
        {"PUT /api/models/*",
         [](World& w) { check_outcome(w.run(w.client->set_visibility("model", w.id, false))); }},
        {"POST /api/models/*",
         [](World& w) { check_outcome(w.run(w.client->create_branch("model", w.id, "dev", "main", true))); }},
    };
    for (const Row& row : rows) {
        World world;
        world.create();
        for (const char* fault : kFaults) {
            CAPTURE(row.route);
            CAPTURE(fault);
            world.fault(first(row.route, fault));
            row.call(world);
            world.end_faults();
        }
    }
}

TEST_CASE("a repository is made and deleted once whatever happens to the answers") {
    for (const char* fault : kFaults) {
        CAPTURE(fault);
        World world;
        world.fault(first("POST /api/repos/create", fault));
        Result<json> made = world.run(world.client->create_repo("model", world.id, true, false));
        check_outcome(made);
        world.end_faults();
        if (made)
            CHECK_FALSE(made->at("existed").get<bool>());
        world.create();
        world.fault(first("DELETE /api/repos/delete", fault));
        check_outcome(world.run(world.client->delete_repo("model", world.id)));
        world.end_faults();
    }
}

TEST_CASE("an upload meets every fault at every call and makes its commit once") {
    for (const char* route :
         {"POST /api/models/*/preupload/*", "POST /*/info/lfs/objects/batch", "PUT /*",
          "POST /api/complete_multipart", "POST /*/info/lfs/verify", "POST /api/models/*/commit/*"})
        for (const char* fault : kFaults) {
            CAPTURE(route);
            CAPTURE(fault);
            World world;
            world.create();
            const std::size_t before = world.commits();
            const std::string large = World::bytes(250'000, 1), small = World::bytes(5'000, 2);
            world.fault(first(route, fault));
            const Result<hf::Uploaded> done =
                world.upload(world.order({World::add("large.bin", world.write("large.bin", large)),
                                          World::add("small.bin", world.write("small.bin", small)),
                                          World::add("note.txt", world.write("note.txt", "text"))}));
            check_outcome(done);
            world.end_faults();
            CHECK(world.commits() == before + (done ? 1 : 0));
            if (!done)
                continue;
            const Result<hf::Downloaded> back = world.download(world.wish());
            REQUIRE(back);
            CHECK(World::read(back->folder / "large.bin") == large);
            CHECK(World::read(back->folder / "small.bin") == small);
            CHECK(World::read(back->folder / "note.txt") == "text");
        }
}

TEST_CASE("a download meets every fault at every call and gives the right bytes or none") {
    for (const char* route : {"GET /api/models/*/revision/*", "GET /api/models/*/tree/*", "GET /*/resolve/*",
                              "GET /sim-storage/*"})
        for (const char* fault : kFaults) {
            CAPTURE(route);
            CAPTURE(fault);
            World world;
            world.create();
            const std::string large = World::bytes(250'000, 3);
            REQUIRE(world.upload(world.order({World::add("large.bin", world.write("large.bin", large)),
                                              World::add("note.txt", world.write("note.txt", "text"))})));
            world.fault(first(route, fault));
            const Result<hf::Downloaded> back = world.download(world.wish());
            check_outcome(back);
            world.end_faults();
            const fs::path file = world.scratch.path / "down" / "large.bin";
            CHECK((back ? World::read(file) == large : !fs::exists(file) || World::read(file) == large));
        }
}
