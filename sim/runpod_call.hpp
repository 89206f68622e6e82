#pragma once
#include "sim/problem.hpp"
#include "sim/router.hpp"

namespace podsmith::sim {

inline constexpr const char* kNotFound = "resource not found";
inline constexpr const char* kNoCapacity = "There are no longer any instances available with the requested "
                                           "specifications. Please refresh and try again.";
inline constexpr const char* kNoBalance =
    "Your account balance is too low to rent a pod. Please add funds to your account.";
/// Of the later contract: a body that is larger, also after a template has been merged in, is a 413.
inline constexpr std::size_t kMaxBody = 102'400;

/// A value, or the answer that refuses the call.
template <class T>
using OrRefusal = tl::expected<T, Response>;

/// The body as JSON that keeps to the schema. Refusals: 400 (no JSON), 422.
OrRefusal<nlohmann::json> checked_body(const Request& request, const nlohmann::json& schema);
/// The body as JSON, not yet checked. Refusal: 400.
OrRefusal<nlohmann::json> read_body(const Request& request);

/// All values of a query parameter, repeated or parted by commas.
std::vector<std::string> list_of(const Request& request, const char* name);
/// Adds a violation for each value outside `allowed`.
void check_words(std::vector<std::string>& errors, const char* name, const std::vector<std::string>& values,
                 const std::vector<std::string>& allowed);
/// A whole query parameter as a number of at least `least`, else `fallback` and a violation.
int number_of(std::vector<std::string>& errors, const Request& request, const char* name, int fallback,
              int least);

/// 204 without a body.
Response no_content();

/// One entry of a list. Sequences grow with creation.
struct PageItem {
    std::uint64_t sequence;
    nlohmann::json value;
    bool is_hidden = false; ///< removed after the cut, so a page may be short
};
/// {`name`: […]}, newest first. With `paginates` (the later contract) `limit` and `cursor` are obeyed and
/// `pagination` is added; 422 when one of them is malformed or the cursor is another list's.
Response list_answer(const Request& request, const std::string& name, std::vector<PageItem> items,
                     bool paginates);

} // namespace podsmith::sim
