#include "hf/preupload.hpp"

#include "base/text.hpp"
#include "hf/paths.hpp"
#include "net/workers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr std::size_t kMostFiles = 256;
constexpr std::size_t kSample = 512;
constexpr std::size_t kAtOnce = 4; ///< calls

using AdditionsPtr = std::shared_ptr<const std::vector<Addition>>;
using RequestPtr = std::shared_ptr<const UploadRequest>;

/// The body of one call. Blocks: it reads the beginning of each file.
Result<std::string> body_for(const UploadRequest& request, const std::vector<Addition>& additions,
                             std::size_t from, std::size_t to) {
    json files = json::array();
    for (std::size_t i = from; i < to; ++i) {
        const Change& change = request.changes[additions[i].change];
        Result<std::string> sample = change.content.substr(0, kSample);
        if (!change.file.empty())
            sample = beginning_of(change.file, kSample);
        if (!sample)
            return fail(sample.error());
        files.push_back(
            {{"path", change.path}, {"size", additions[i].state.size}, {"sample", base64_encode(*sample)}});
    }
    json body = json::object();
    body["files"] = std::move(files);
    return body.dump();
}

/// Fills in the modes of its range.
Result<void> read_modes(const json& answer, const UploadRequest& request,
                        const std::vector<Addition>& additions, std::size_t from, std::size_t to,
                        Preupload& into, const Subject& subject) {
    const json files = answer.is_object() ? answer.value("files", json()) : json();
    if (!files.is_array())
        return fail(malformed(subject, "no list of files"));
    std::map<std::string, const json*> by_path;
    for (const json& file : files)
        if (file.is_object() && file.value("path", json()).is_string())
            by_path[file["path"].get<std::string>()] = &file;
    for (std::size_t i = from; i < to; ++i) {
        const auto found = by_path.find(request.changes[additions[i].change].path);
        const json mode = found == by_path.end() ? json() : found->second->value("uploadMode", json());
        if (mode != "lfs" && mode != "regular")
            return fail(malformed(subject, "it does not say how to send " +
                                               request.changes[additions[i].change].path));
        const json& file = *found->second;
        UploadMode& made = into.modes[i];
        made.is_large = mode == "lfs" && additions[i].state.size > 0; // the storage takes no empty object
        made.is_ignored = file.value("shouldIgnore", json()) == true;
        made.oid = file.value("oid", json()).is_string() ? file["oid"].get<std::string>() : "";
    }
    if (const json head = answer.value("commitOid", json()); head.is_string() && into.head.empty())
        into.head = head.get<std::string>();
    return {};
}

} // namespace

Async<std::vector<Addition>> look_at_files(std::shared_ptr<Client> client, RequestPtr request) {
    std::function<Result<std::vector<Addition>>()> look = [request]() -> Result<std::vector<Addition>> {
        std::vector<Addition> found;
        std::string missing;
        for (std::size_t i = 0; i < request->changes.size(); ++i) {
            const Change& change = request->changes[i];
            if (change.what != Change::What::add)
                continue;
            Addition addition;
            addition.change = i;
            addition.state.size = change.content.size();
            if (!change.file.empty()) {
                Result<FileState> state = look_at(change.file);
                if (!state)
                    missing += (missing.empty() ? "" : "; ") + state.error().message;
                else
                    addition.state = *state;
            }
            found.push_back(addition);
        }
        if (!missing.empty())
            return fail(Kind::invalid, fmt::format("upload to {}: {}", request->id, missing));
        return found;
    };
    return client->http().loop().offload<std::vector<Addition>>(std::move(look));
}

namespace {

/// One upload's questions. Each call is about kMostFiles files; several are under way at once.
struct Asking {
    std::shared_ptr<Client> client;
    RequestPtr request;
    AdditionsPtr additions;
    Subject subject;
    Preupload all;
    std::size_t next = 0;
};

Async<void> ask_some(std::shared_ptr<Asking> asking) {
    const UploadRequest& request = *asking->request;
    while (asking->next < asking->additions->size()) {
        const std::size_t at = asking->next;
        const std::size_t end = std::min(asking->additions->size(), at + kMostFiles);
        asking->next = end;
        std::function<Result<std::string>()> make = [asking, at, end] {
            return body_for(*asking->request, *asking->additions, at, end);
        };
        Async<std::string> making = asking->client->http().loop().offload<std::string>(std::move(make));
        Result<std::string> body = co_await std::move(making);
        if (!body)
            co_return fail(std::move(body.error()));
        net::HttpRequest asked = asking->client->request(
            "POST", fmt::format("{}/preupload/{}{}", api_path(request.type, request.id),
                                revision_segment(request.revision), request.create_pr ? "?create_pr=1" : ""));
        asked.retry.idempotent = true;
        asked.retry.deadline = 600;
        asked.headers.emplace_back("Content-Type", "application/json");
        asked.body = std::move(*body);
        Result<json> answer = co_await asking->client->ask_json(std::move(asked), asking->subject);
        if (!answer)
            co_return fail(std::move(answer.error()));
        Result<void> read =
            read_modes(*answer, request, *asking->additions, at, end, asking->all, asking->subject);
        if (!read)
            co_return fail(std::move(read.error()));
    }
    co_return Result<void>();
}

} // namespace

Async<Preupload> preupload(std::shared_ptr<Client> client, RequestPtr request, AdditionsPtr additions) {
    auto asking = std::make_shared<Asking>();
    asking->client = client;
    asking->request = request;
    asking->additions = additions;
    asking->subject =
        client->about(fmt::format("upload to {} {}", request->type, request->id), request->type, request->id);
    asking->all.modes.resize(additions->size());
    std::vector<Async<void>> works;
    for (std::size_t i = 0; i < kAtOnce; ++i)
        works.push_back(ask_some(asking));
    Async<void> working = net::run_all(client->http().loop(), std::move(works));
    Result<void> done = co_await std::move(working);
    if (!done)
        co_return fail(std::move(done.error()));
    co_return std::move(asking->all);
}

} // namespace podsmith::hf
