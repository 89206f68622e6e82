#include "hf/errors.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::hf;

namespace {

net::HttpResponse answer(int status, std::string code, std::string message, std::string body = "") {
    net::HttpResponse response;
    response.status = status;
    if (!code.empty())
        response.headers.emplace_back("x-error-code", code);
    if (!message.empty())
        response.headers.emplace_back("x-error-message", message);
    response.body = std::move(body);
    return response;
}

Subject repo(bool has_token) {
    Subject subject;
    subject.what = "read config.json of model acme/llm";
    subject.page = "https://huggingface.co/acme/llm";
    subject.has_token = has_token;
    return subject;
}

bool hints(const Error& error, const char* text) {
    return error.hint.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("the Hub's code goes before the status") {
    struct Row {
        net::HttpResponse response;
        bool has_token;
        Kind kind;
        const char* hint;
    };
    const Row rows[] = {
        {answer(401, "", "Invalid username or password."), false, Kind::not_found, "set HF_TOKEN"},
        {answer(401, "RepoNotFound", "Repository not found"), false, Kind::not_found, "set HF_TOKEN"},
        {answer(404, "RepoNotFound", "Repository not found"), true, Kind::not_found, "account of HF_TOKEN"},
        {answer(401, "", "Invalid credentials in Authorization header"), true, Kind::auth, "revoked"},
        {answer(404, "RevisionNotFound", "Invalid rev id: x"), true, Kind::not_found, "branch"},
        {answer(404, "EntryNotFound", "Entry not found"), true, Kind::not_found,
         "file is not in that revision"},
        {answer(401, "GatedRepo", "Access to model acme/llm is restricted. You must be authenticated"), false,
         Kind::forbidden,
         "ask for access at https://huggingface.co/acme/llm in a browser, then set HF_TOKEN"},
        {answer(403, "GatedRepo", "Access is restricted and you are not in the authorized list"), true,
         Kind::forbidden, "ask for access at https://huggingface.co/acme/llm with the account of HF_TOKEN"},
        {answer(403, "GatedRepo", "Your request to access model acme/llm is awaiting a review"), true,
         Kind::forbidden, "waits for the authors"},
        {answer(403, "", "Access to this resource is disabled."), true, Kind::forbidden, "disabled"},
        {answer(403, "", "You don't have the needed permissions"), true, Kind::forbidden,
         "HF_TOKEN lacks this right"},
        {answer(403, "", "You don't have the rights to create a model under the namespace \"acme\""), true,
         Kind::forbidden, "HF_TOKEN lacks this right"},
        {answer(403, "", "You don't have the rights to create a model under the namespace \"acme\""), false,
         Kind::forbidden, "no token was sent"},
        {answer(400, "", "", R"({"error":"bad"})"), true, Kind::invalid, "why"},
        {answer(422, "", "", R"({"message":"oid is no sha256"})"), true, Kind::invalid, "why"},
        {answer(413, "", "", R"({"error":"too large"})"), true, Kind::invalid, "split"},
        {answer(404, "", "", "Not Found"), true, Kind::not_found, "repository, revision and file"},
        {answer(408, "", ""), true, Kind::remote, "try again"},
        {answer(500, "", ""), true, Kind::remote, "status.huggingface.co"},
        {answer(502, "", "", "<html>"), true, Kind::remote, "try again"},
        {answer(504, "", "", "<html>"), true, Kind::remote, "try again"},
        {answer(402, "", "", R"({"error":"quota"})"), true, Kind::payment, "quota"},
        {answer(409, "", "", R"({"error":"exists"})"), true, Kind::conflict, "exists"},
        {answer(412, "", "", R"({"error":"moved"})"), true, Kind::conflict, "moved"},
        {answer(416, "", ""), true, Kind::invalid, "range"},
        {answer(429, "", ""), true, Kind::rate_limited, "wait"},
        {answer(503, "", "", "<html>"), true, Kind::remote, "try again"},
        {answer(418, "", ""), true, Kind::protocol, "HF_ENDPOINT"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.response.status);
        const Error error = error_from(row.response, repo(row.has_token));
        CAPTURE(error.hint);
        CHECK(name_of(error.kind) == name_of(row.kind));
        CHECK(hints(error, row.hint));
        CHECK(error.status == row.response.status);
    }
}

TEST_CASE("what cannot be seen is missing or private, and the message says whether a token was sent") {
    CHECK(error_from(answer(401, "", "Invalid username or password."), repo(false)).message ==
          "read config.json of model acme/llm: Hugging Face answered 401: the repository does not exist, or "
          "it is private "
          "(no token was sent)");
    CHECK(error_from(answer(404, "RepoNotFound", "Repository not found"), repo(true)).message ==
          "read config.json of model acme/llm: Hugging Face answered 404: the repository does not exist, or "
          "it is private "
          "and this token may not see it");
}

TEST_CASE("an answer about no repository keeps 401 as a matter of the token") {
    Subject subject;
    subject.what = "whoami";
    const Error none = error_from(answer(401, "", "Invalid username or password."), subject);
    CHECK(none.kind == Kind::auth);
    CHECK(none.message == "whoami: Hugging Face answered 401: no token was sent");
    subject.has_token = true;
    CHECK(error_from(answer(401, "", "Invalid username or password."), subject).hint.find("revoked") !=
          std::string::npos);
}

TEST_CASE("every form of an error body is read") {
    for (const char* body : {R"({"error":"the reason"})", R"({"error":["the reason"]})",
                             R"({"errors":[{"message":"the reason"}]})",
                             R"({"error_description":"the reason"})", "the reason"}) {
        CAPTURE(body);
        CHECK(error_from(answer(400, "", "", body), repo(true)).message ==
              "read config.json of model acme/llm: Hugging Face answered 400: the reason");
    }
}
