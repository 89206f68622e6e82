#include "s3/xml.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace podsmith::s3 {
namespace {

constexpr int kDeepest = 16;

tl::unexpected<Error> bad(std::string_view why) {
    return fail(Kind::protocol, fmt::format("the answer is no XML that S3 knows: {}", why));
}

void append_utf8(std::string& out, unsigned long code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    }
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Element> document() {
        if (auto skipped = skip_between(); !skipped)
            return fail(skipped.error());
        Element root;
        if (auto read = element(root, 0); !read)
            return fail(read.error());
        return root;
    }

private:
    bool at(std::string_view what) const { return text_.substr(position_).starts_with(what); }

    /// Passes over everything up to and with `end`.
    bool pass(std::string_view end) {
        const auto found = text_.find(end, position_);
        position_ = found == std::string_view::npos ? text_.size() : found + end.size();
        return found != std::string_view::npos;
    }

    /// White space, comments and processing instructions.
    Result<void> skip_between() {
        for (;;) {
            while (position_ < text_.size() && static_cast<unsigned char>(text_[position_]) <= ' ')
                ++position_;
            if (at("\xEF\xBB\xBF"))
                position_ += 3;
            else if (at("<?") || at("<!--")) {
                if (!pass(at("<?") ? "?>" : "-->"))
                    return bad("it ends too early");
            } else if (at("<!"))
                return bad("it has a DOCTYPE");
            else
                return {};
        }
    }

    static std::string without_prefix(std::string_view name) {
        const auto colon = name.find(':');
        return std::string(colon == std::string_view::npos ? name : name.substr(colon + 1));
    }

    /// "<name a='b'>" or "<name/>"; true when it is closed already.
    Result<bool> open_tag(Element& out) {
        if (!at("<"))
            return bad("an element is missing");
        const std::size_t begin = ++position_;
        while (position_ < text_.size() &&
               std::string_view(" \t\r\n/>").find(text_[position_]) == std::string_view::npos)
            ++position_;
        out.name = without_prefix(text_.substr(begin, position_ - begin));
        if (out.name.empty())
            return bad("an element has no name");
        char quote = 0;
        for (; position_ < text_.size(); ++position_) {
            const char c = text_[position_];
            if (quote) {
                if (c == quote)
                    quote = 0;
            } else if (c == '"' || c == '\'') {
                quote = c;
            } else if (c == '>') {
                const bool is_closed = text_[position_ - 1] == '/';
                ++position_;
                return is_closed;
            }
        }
        return bad("it ends inside of a tag");
    }

    Result<void> reference(std::string& out) {
        const auto end = text_.find(';', position_);
        const std::string_view name = text_.substr(position_ + 1, end - position_ - 1);
        if (end == std::string_view::npos || name.size() > 10)
            return bad("an '&' that begins no entity");
        position_ = end + 1;
        if (name.starts_with("#")) {
            const bool is_hex = name.starts_with("#x");
            const std::string_view digits = name.substr(is_hex ? 2 : 1);
            unsigned long code = 0;
            const auto [stop, error] =
                std::from_chars(digits.data(), digits.data() + digits.size(), code, is_hex ? 16 : 10);
            if (error != std::errc{} || stop != digits.data() + digits.size() || code > 0x10FFFF)
                return bad("a character reference that names no character");
            append_utf8(out, code);
            return {};
        }
        constexpr std::pair<std::string_view, char> kNames[] = {
            {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
        for (const auto& [known, c] : kNames)
            if (name == known) {
                out += c;
                return {};
            }
        return bad("an entity that XML does not define");
    }

    Result<void> content(Element& out, int depth) {
        while (position_ < text_.size()) {
            if (at("</"))
                return {};
            if (at("<![CDATA[")) {
                const std::size_t begin = position_ + 9;
                if (!pass("]]>"))
                    return bad("it ends too early");
                out.text += text_.substr(begin, position_ - 3 - begin);
            } else if (at("<!--") || at("<?")) {
                if (!pass(at("<?") ? "?>" : "-->"))
                    return bad("it ends too early");
            } else if (at("<")) {
                out.children.emplace_back();
                if (auto read = element(out.children.back(), depth + 1); !read)
                    return read;
            } else if (at("&")) {
                if (auto read = reference(out.text); !read)
                    return read;
            } else {
                const auto next = text_.find_first_of("<&", position_);
                const std::size_t end = next == std::string_view::npos ? text_.size() : next;
                out.text += text_.substr(position_, end - position_);
                position_ = end;
            }
        }
        return bad("it ends too early");
    }

    Result<void> element(Element& out, int depth) {
        if (depth > kDeepest)
            return bad("it is nested too deeply");
        const auto is_closed = open_tag(out);
        if (!is_closed)
            return fail(is_closed.error());
        if (*is_closed)
            return {};
        if (auto read = content(out, depth); !read)
            return read;
        position_ += 2; // "</"
        const std::size_t begin = position_;
        if (!pass(">"))
            return bad("it ends inside of a tag");
        if (without_prefix(trim(text_.substr(begin, position_ - 1 - begin))) != out.name)
            return bad(fmt::format("'{}' is closed by another name", out.name));
        return {};
    }

    std::string_view text_;
    std::size_t position_ = 0;
};

} // namespace

const Element* Element::child(std::string_view wanted) const {
    const auto found = std::find_if(children.begin(), children.end(),
                                    [wanted](const Element& one) { return one.name == wanted; });
    return found == children.end() ? nullptr : &*found;
}

std::string Element::value(std::string_view wanted) const {
    const Element* found = child(wanted);
    return found ? found->text : "";
}

Result<Element> parse_xml(std::string_view text) {
    return Parser(text).document();
}

} // namespace podsmith::s3
