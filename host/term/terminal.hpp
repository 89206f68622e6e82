#pragma once
#include <string>

namespace podsmith::term {

/// Whether a descriptor (1 stdout, 2 stderr) is a terminal.
bool is_terminal(int descriptor);
/// Columns of the terminal, else $COLUMNS, else 100.
int width(int descriptor);
/// Whether to colour what goes to the descriptor: a terminal, NO_COLOR unset or empty, TERM not "dumb".
bool has_color(int descriptor);
/// Columns that a UTF-8 text takes, escape sequences not counted.
int columns(const std::string& text);

} // namespace podsmith::term
