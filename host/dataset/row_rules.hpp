#pragma once
#include "dataset/row_format.hpp"

#include <simdjson.h>

namespace podsmith::dataset {

/// The format that a row's keys tell; `any` when none does.
RowFormat detect_row(const simdjson::dom::object& row);

/// What is wrong with a row of this format, "" when nothing is. Adds to `lengths`.
std::string row_problem(const simdjson::dom::element& row, RowFormat format, RowLengths& lengths);

} // namespace podsmith::dataset
