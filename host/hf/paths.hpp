#pragma once
#include <string>

/// How the Hub's addresses are put together. `type` is "model" or "dataset". Pure.
namespace podsmith::hf {

/// Encodes each part of a path and keeps its slashes.
std::string encoded_path(const std::string& path);
/// "/api/models/acme/llm"
std::string api_path(const std::string& type, const std::string& id);
/// "/acme/llm", "/datasets/acme/chat": of pages, downloads and git.
std::string web_path(const std::string& type, const std::string& id);
/// A revision is one segment: the slash of refs/pr/3 is encoded too. "" is the branch main.
std::string revision_segment(const std::string& revision);
/// The address in `Link: <...>; rel="next"`, or "".
std::string next_link(const std::string& header);
/// Whether a file may have this path in a repository: UTF-8, relative, at most 1000 bytes, no part that is
/// empty, ".",
/// ".." or ".git". "" when it may, else what is wrong.
std::string path_problem(const std::string& path);

} // namespace podsmith::hf
