#include "hf/lfs_batch.hpp"

#include "hf/paths.hpp"
#include "net/url.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr std::size_t kMostObjects = 256;
constexpr const char* kLfsType = "application/vnd.git-lfs+json";

std::uint64_t number_in(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

std::string text_at(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end())
        return "";
    return found->is_string() ? found->get<std::string>() : found->is_number() ? found->dump() : "";
}

/// The part addresses of a multipart header, by number: its other keys are chunk_size and what is not known.
std::map<std::uint64_t, std::string> parts_of(const json& header) {
    std::map<std::uint64_t, std::string> parts;
    for (const auto& [key, value] : header.items())
        if (const std::uint64_t number = number_in(key); number > 0 && value.is_string())
            parts[number] = value.get<std::string>();
    return parts;
}

Error refused(const json& error, const LargeFile& file, const Subject& subject) {
    net::HttpResponse answer;
    answer.status =
        error.is_object() && error.value("code", json()).is_number_integer() ? error["code"].get<int>() : 400;
    json body = json::object();
    body["error"] = error.is_object() ? text_at(error, "message") : "the storage refused it";
    answer.body = body.dump();
    Subject about_file = subject;
    about_file.what = fmt::format("{}: {}", subject.what, file.path);
    about_file.page.clear(); // the file was refused: the repository is there
    return error_from(answer, about_file);
}

} // namespace

Result<UploadAction> action_from(const json& object, const LargeFile& file, const Subject& subject) {
    if (const auto error = object.find("error"); error != object.end() && !error->is_null())
        return fail(refused(*error, file, subject));
    UploadAction action;
    const auto actions = object.find("actions");
    if (actions == object.end() || actions->is_null()) {
        action.is_stored = true;
        return action;
    }
    const json upload = actions->is_object() ? actions->value("upload", json()) : json();
    action.href = upload.is_object() ? text_at(upload, "href") : "";
    if (action.href.empty())
        return fail(
            Kind::unsupported,
            fmt::format("{}: the Hub offers no way to upload {} that podsmith knows (git LFS, basic or "
                        "multipart)",
                        subject.what, file.path),
            "check HF_ENDPOINT; on huggingface.co this means that plain LFS uploads have ended");
    const json header = upload.value("header", json::object());
    if (header.is_object() && header.contains("chunk_size")) {
        action.chunk_size = number_in(text_at(header, "chunk_size"));
        std::uint64_t next = 1;
        for (auto& [number, url] : parts_of(header))
            if (number == next++)
                action.parts.push_back(std::move(url));
        const std::uint64_t chunk = action.chunk_size;
        if (chunk == 0 || action.parts.size() != (file.size + chunk - 1) / chunk)
            return fail(malformed(subject, fmt::format("its parts do not cover {}", file.path)));
    }
    const json verify = actions->value("verify", json());
    action.verify = verify.is_object() ? text_at(verify, "href") : "";
    action.expires_in =
        upload.value("expires_in", json()).is_number() ? upload["expires_in"].get<double>() : 0;
    return action;
}

Async<std::vector<UploadAction>> lfs_batch(std::shared_ptr<Client> client, std::string type, std::string id,
                                           std::string revision, std::vector<LargeFile> files) {
    const Subject subject = client->about(fmt::format("upload to {} {}", type, id), type, id);
    std::vector<UploadAction> actions;
    for (std::size_t at = 0; at < files.size(); at += kMostObjects) {
        const std::size_t end = std::min(files.size(), at + kMostObjects);
        json wanted = json::object();
        wanted["operation"] = "upload";
        wanted["transfers"] = {"basic", "multipart"};
        wanted["hash_algo"] = "sha256";
        wanted["ref"] = {{"name", revision}};
        for (std::size_t i = at; i < end; ++i)
            wanted["objects"].push_back({{"oid", files[i].sha256}, {"size", files[i].size}});
        net::HttpRequest asked = client->request("POST", web_path(type, id) + ".git/info/lfs/objects/batch");
        asked.retry.idempotent = true; // it only hands out addresses
        asked.retry.deadline = 600;
        asked.headers.emplace_back("Accept", kLfsType);
        asked.headers.emplace_back("Content-Type", kLfsType);
        asked.body = wanted.dump();
        Result<json> answer = co_await client->ask_json(std::move(asked), subject);
        if (!answer)
            co_return fail(std::move(answer.error()));
        const json objects = answer->is_object() ? answer->value("objects", json()) : json();
        if (!objects.is_array())
            co_return fail(malformed(subject, "no list of objects"));
        std::map<std::string, const json*> by_oid;
        for (const json& object : objects)
            if (object.is_object())
                by_oid[text_at(object, "oid")] = &object;
        for (std::size_t i = at; i < end; ++i) {
            const auto found = by_oid.find(files[i].sha256);
            if (found == by_oid.end())
                co_return fail(malformed(subject, "it leaves out " + files[i].path));
            Result<UploadAction> action = action_from(*found->second, files[i], subject);
            if (!action)
                co_return fail(std::move(action.error()));
            actions.push_back(std::move(*action));
        }
    }
    co_return actions;
}

} // namespace podsmith::hf
