#pragma once
#include "hf/errors.hpp"
#include "hf/permission.hpp"
#include "net/loop.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// The Hugging Face Hub: what a recipe needs to check a model, read small files and make a repository.
namespace podsmith::hf {

template <class T>
using Async = net::Async<T>;

/// All calls wait on the loop and fail with the kinds of errors.hpp or of net::Http. The token goes to the
/// endpoint's own host only. `type` is "model" or "dataset", `id` is "namespace/name" (or a legacy name
/// without namespace). The client must outlive its calls, and `http` the client.
class Client {
public:
    /// `endpoint` is like "https://huggingface.co" (HF_ENDPOINT). An empty token means anonymous.
    Client(net::Http& http, std::string endpoint, Secret token);

    /// Who the token belongs to. Asked once and remembered: the route has a strict rate limit.
    Async<nlohmann::json> whoami();
    /// `revision` "" is the default branch; `blobs` adds sizes to the siblings. Says nothing about gated
    /// content: info stays public, auth_check tells.
    Async<nlohmann::json> model_info(std::string id, std::string revision, bool blobs);
    Async<nlohmann::json> repo_info(std::string type, std::string id, std::string revision, bool blobs);
    /// Succeeds when the token may read the content (gates included), or with `write` when it may write.
    Async<void> auth_check(std::string type, std::string id, bool write);
    /// Whether the token may write to `id`, with the reason; for a repository that is not there, whether it
    /// may create it. A bad token is a "no", and so is a missing one; an error only when the Hub cannot be
    /// asked.
    Async<Permission> can_write(std::string type, std::string id);
    /// Makes a repository. Returns {"id","url","existed"} and "warning" when it existed with another
    /// visibility. With `exist_ok` an existing one is a success, which proves nothing about writing: ask
    /// auth_check.
    Async<nlohmann::json> create_repo(std::string type, std::string id, bool is_private, bool exist_ok);
    /// A small file's content; protocol when it is larger than `max_bytes`.
    Async<std::string> read_text(std::string type, std::string id, std::string revision, std::string path,
                                 std::size_t max_bytes);
    /// All entries under `path` ("" for the root), recursively, as an array.
    Async<nlohmann::json> list_tree(std::string type, std::string id, std::string revision, std::string path);
    /// The tree's entries for these paths, folders included; paths that are not there are left out.
    Async<nlohmann::json> paths_info(std::string type, std::string id, std::string revision,
                                     std::vector<std::string> paths);
    /// Branches, tags, pull requests:
    /// {"branches":[{"name","ref","targetCommit"}],"tags":[],"pullRequests":[]}.
    Async<nlohmann::json> refs(std::string type, std::string id);
    /// Deletes a repository for good; not_found when it is not there.
    Async<void> delete_repo(std::string type, std::string id);
    Async<void> set_visibility(std::string type, std::string id, bool is_private);
    /// Makes a branch from `start`; with `exist_ok` one that is there is fine.
    Async<void> create_branch(std::string type, std::string id, std::string branch, std::string start,
                              bool exist_ok);

    const std::string& endpoint() const { return endpoint_; }
    /// The repository's page in a browser.
    std::string page(const std::string& type, const std::string& id) const;

    // What the transfers of this folder are made of.
    net::Http& http() const { return http_; }
    /// A request to the endpoint with the token; safe to repeat unless it is a POST.
    net::HttpRequest request(std::string method, const std::string& path) const;
    Subject about(std::string what, const std::string& type, const std::string& id) const;
    /// Sends; every answer but a 2xx is an error about `subject`.
    Async<net::HttpResponse> ask(net::HttpRequest asked, Subject subject);
    Async<nlohmann::json> ask_json(net::HttpRequest asked, Subject subject);

private:
    Async<nlohmann::json> get_json(std::string path, Subject subject);
    Async<nlohmann::json> existing(std::string type, std::string id, bool is_private, std::string url);

    net::Http& http_;
    std::string endpoint_;
    Secret token_;
    std::shared_ptr<nlohmann::json> whoami_;
};

} // namespace podsmith::hf
