#include "base/error.hpp"

#include <array>
#include <utility>

namespace podsmith {
namespace {

constexpr std::array<std::pair<Kind, std::string_view>, 20> kNames{{
    {Kind::auth, "auth"},           {Kind::forbidden, "forbidden"},
    {Kind::not_found, "not_found"}, {Kind::conflict, "conflict"},
    {Kind::capacity, "capacity"},   {Kind::payment, "payment"},
    {Kind::budget, "budget"},       {Kind::rate_limited, "rate_limited"},
    {Kind::timeout, "timeout"},     {Kind::cancelled, "cancelled"},
    {Kind::network, "network"},     {Kind::protocol, "protocol"},
    {Kind::remote, "remote"},       {Kind::host_key, "host_key"},
    {Kind::invalid, "invalid"},     {Kind::io, "io"},
    {Kind::lost, "lost"},           {Kind::unsupported, "unsupported"},
    {Kind::script, "script"},       {Kind::internal, "internal"},
}};

} // namespace

std::string_view name_of(Kind kind) {
    for (const auto& [value, name] : kNames)
        if (value == kind)
            return name;
    return "internal";
}

Kind kind_from(std::string_view name) {
    for (const auto& [value, text] : kNames)
        if (text == name)
            return value;
    return Kind::internal;
}

Error Error::in(std::string_view context) const& {
    Error outer = *this;
    outer.message = std::string(context) + ": " + message;
    return outer;
}

std::string Error::text() const {
    return hint.empty() ? message : message + "\n  hint: " + hint;
}

tl::unexpected<Error> fail(Kind kind, std::string message, std::string hint) {
    Error error;
    error.kind = kind;
    error.message = std::move(message);
    error.hint = std::move(hint);
    return tl::unexpected<Error>(std::move(error));
}

} // namespace podsmith
