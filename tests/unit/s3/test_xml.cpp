#include "s3/xml.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using s3::parse_xml;

TEST_CASE("an answer of S3 is read: name spaces, attributes, entities, CDATA, comments") {
    const auto root = parse_xml("\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- x --><s3:List "
                                "xmlns:s3='a>b'><Key>a&amp;b &#228;&#xe4;</Key>"
                                "<Empty/><Key><![CDATA[<raw>]]></Key></s3:List>");
    REQUIRE(root);
    CHECK(root->name == "List");
    CHECK(root->value("Key") == "a&b \xC3\xA4\xC3\xA4");
    REQUIRE(root->children.size() == 3);
    CHECK(root->children[2].text == "<raw>");
    CHECK(root->value("Empty").empty());
    CHECK_FALSE(root->child("Nothing"));
}

TEST_CASE("what no S3 service sends is refused with a reason") {
    const std::pair<const char*, const char*> cases[] = {
        {"", "an element is missing"},
        {"{\"json\": 1}", "an element is missing"},
        {"<a><b></a></b>", "'b' is closed by another name"},
        {"<a>", "it ends too early"},
        {"<a", "it ends inside of a tag"},
        {"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "it has a DOCTYPE"},
        {"<a>&evil;</a>", "an entity that XML does not define"},
        {"<a>&#x110000;</a>", "a character reference that names no character"},
    };
    for (const auto& [text, why] : cases) {
        CAPTURE(text);
        const auto root = parse_xml(text);
        REQUIRE_FALSE(root);
        CHECK(root.error().kind == Kind::protocol);
        CHECK(root.error().message == std::string("the answer is no XML that S3 knows: ") + why);
    }
    std::string deep;
    for (int i = 0; i < 40; ++i)
        deep += "<a>";
    CHECK(parse_xml(deep).error().message.find("nested too deeply") != std::string::npos);
}
