#include "hf/permission.hpp"

#include <doctest/doctest.h>

using namespace podsmith::hf;
using nlohmann::json;

namespace {

json who(const char* access_token) {
    json all = json::parse(R"({"type":"user","name":"Alice","orgs":[
        {"name":"acme","roleInOrg":"write","securityRestrictions":[]},
        {"name":"strict","roleInOrg":"admin","securityRestrictions":["sso"]},
        {"name":"club","roleInOrg":"contributor"},
        {"name":"library","roleInOrg":"read"},
        {"name":"odd"}],"auth":{"type":"access_token"}})");
    if (access_token)
        all["auth"]["accessToken"] = json::parse(access_token);
    return all;
}

constexpr const char* kRead = R"({"role":"read"})";
constexpr const char* kWrite = R"({"role":"write"})";
constexpr const char* kFine = R"({"role":"fineGrained","fineGrained":{"scoped":[
    {"entity":{"type":"user","name":"alice"},"permissions":["repo.content.read","repo.write"]},
    {"entity":{"type":"org","name":"acme"},"permissions":["repo.content.read"]},
    {"entity":{"type":"org","name":"library"},"permissions":["repo.write"]},
    {"entity":{"type":"model","name":"acme/llm"},"permissions":["repo.write"]},
    {"entity":{"type":"model","name":"stranger/llm"},"permissions":["repo.write"]}]}})";
constexpr const char* kGroup = R"({"role":"fineGrained","fineGrained":{"scoped":[
    {"entity":{"type":"resource-group","name":"nlp"},"permissions":["repo.write"]}]}})";
constexpr const char* kNothing = R"({"role":"fineGrained","fineGrained":{"scoped":[]}})";

} // namespace

TEST_CASE("what a token may write follows from its role, its scopes and the person's role") {
    struct Row {
        const char* token;
        const char* type;
        const char* id;
        bool exists;
        const char* answer;
    };
    const Row rows[] = {
        {kRead, "model", "alice/x", false, "no"},
        {kWrite, "model", "alice/x", false, "yes"},
        {kWrite, "model", "ALICE/x", true, "yes"},
        {kWrite, "model", "acme/x", false, "yes"},
        {kWrite, "model", "strict/x", false, "unknown"},
        {kWrite, "model", "club/x", false, "yes"},
        {kWrite, "model", "club/x", true, "unknown"},
        {kWrite, "model", "library/x", false, "no"},
        {kWrite, "model", "odd/x", false, "unknown"},
        {kWrite, "model", "stranger/x", false, "no"},
        {kWrite, "model", "x", false, "no"},
        {kFine, "model", "alice/x", false, "yes"},
        {kFine, "model", "acme/x", false, "no"},
        {kFine, "model", "acme/llm", true, "yes"},
        {kFine, "model", "acme/llm", false, "no"},
        {kFine, "dataset", "acme/llm", true, "no"},
        {kFine, "model", "library/x", false, "no"},
        {kFine, "model", "stranger/llm", true, "no"},
        {kGroup, "model", "acme/x", true, "unknown"},
        {kNothing, "model", "alice/x", true, "no"},
        {R"({"role":"god"})", "model", "alice/x", true, "unknown"},
        {"{}", "model", "alice/x", true, "unknown"},
        {nullptr, "model", "alice/x", true, "unknown"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.id);
        CAPTURE(row.exists);
        CAPTURE((row.token ? row.token : "no access token"));
        const Permission permission = permission_from(who(row.token), row.type, row.id, row.exists);
        CAPTURE(permission.reason);
        CHECK(std::string(name_of(permission.answer)) == row.answer);
        CHECK_FALSE(permission.reason.empty());
    }
}

TEST_CASE("an answer of an unexpected shape is no crash") {
    for (const char* text :
         {"null", "[]", R"({"auth":7})", R"({"auth":{"accessToken":{"role":"write"}},"orgs":{"a":1}})",
          R"({"auth":{"accessToken":{"role":"fineGrained","fineGrained":[1]}},"orgs":[1,null]})"}) {
        CAPTURE(text);
        CHECK_FALSE(permission_from(json::parse(text), "model", "a/b", true).reason.empty());
    }
}
