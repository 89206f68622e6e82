#include "sim/graphql_schema.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::sim::graphql;
using nlohmann::json;

namespace {

Document read(const std::string& text) {
    auto document = parse_document(text);
    INFO(text << ": " << (document ? std::string() : document.error().message));
    REQUIRE(document);
    return std::move(*document);
}

std::string refused(const std::string& text) {
    const auto document = parse_document(text);
    REQUIRE_FALSE(document);
    CHECK(document.error().kind == Kind::invalid);
    return document.error().message;
}

/// The arguments of the first field, as JSON.
json arguments(const std::string& text, const json& variables = json::object()) {
    return to_json(read(text).operations[0].selections[0].arguments, variables);
}

const Schema& schema() {
    static const Schema parsed = Schema::parse(R"(
        scalar Void
        enum Cloud { ALL SECURE }
        input Inner { key: String! value: String! }
        input Order { name: String count: Int! cost: Float on: Boolean cloud: Cloud env: [Inner] ids: [String] }
        type Pod { id: String! name: String bid: Float @spot }
        type Query { pod(input: Order): Pod pods: [Pod] }
        type Mutation { end(id: String!): Void }
    )");
    return parsed;
}

std::vector<std::string> wrong(const std::string& text, const Schema& by = schema()) {
    const Document document = read(text);
    return violations(by, document, document.operations[0]);
}

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("literals: every kind, with commas or without") {
    CHECK(
        arguments(
            R"({ a(i: -3 f: 1.5e2, s: "x\"\u00e9\ud83d\ude00\n", t: true, n: null, e: ALL, l: [1 2,3], o: {k: "v" m: {}}) })") ==
        json{{"i", -3},
             {"f", 150.0},
             {"s", "x\"\xC3\xA9\xF0\x9F\x98\x80\n"},
             {"t", true},
             {"n", nullptr},
             {"e", "ALL"},
             {"l", {1, 2, 3}},
             {"o", {{"k", "v"}, {"m", json::object()}}}});
}

TEST_CASE("a block string loses its indentation") {
    CHECK(arguments("{ a(s: \"\"\"\n    one\n      two \\\"\"\"\n\n  \"\"\") }") ==
          json{{"s", "one\n  two \"\"\""}});
}

TEST_CASE("variables are filled in; one without a value is left out") {
    const std::string text = "query q($a: Int, $b: String) { x(one: $a, two: {k: $b}) }";
    CHECK(arguments(text, {{"a", 1}}) == json{{"one", 1}, {"two", json::object()}});
    CHECK(arguments(text, {{"a", nullptr}, {"b", "s"}}) == json{{"one", nullptr}, {"two", {{"k", "s"}}}});
}

TEST_CASE("operations, aliases, fragments and directives") {
    const Document document = read(R"(
        # a comment
        query First($id: [String!]! = ["x"]) @live { mine: pod(id: $id) @include(if: true) { ...Parts ... on Pod { id } } }
        mutation Second { end }
        fragment Parts on Pod { name })");
    REQUIRE(document.operations.size() == 2);
    const Operation& first = document.operations[0];
    CHECK(first.variables[0].type.text() == "[String!]!");
    CHECK(to_json(*first.variables[0].fallback, {}) == json{"x"});
    const Selection& pod = first.selections[0];
    CHECK(pod.key == "mine");
    CHECK(pod.name == "pod");
    CHECK(pod.directives[0].name == "include");
    CHECK(pod.selections[0].type == Selection::Type::spread);
    CHECK(pod.selections[1].condition == "Pod");
    CHECK(document.operations[1].type == "mutation");
    CHECK(document.fragment("Parts")->condition == "Pod");
    CHECK(document.fragment("Other") == nullptr);
    CHECK((*pick(document, "Second"))->name == "Second");
    CHECK(pick(document, "").error().message ==
          "Must provide operation name if query contains multiple operations.");
    CHECK(pick(document, "Third").error().message == "Unknown operation named \"Third\".");
}

TEST_CASE("syntax errors say what was found") {
    CHECK(refused("") == "Syntax Error: Unexpected <EOF>.");
    CHECK(refused("{ a") == "Syntax Error: Expected Name, found <EOF>.");
    CHECK(refused("{ }") == "Syntax Error: Expected Name, found \"}\".");
    CHECK(refused("{ a(x 1) }") == "Syntax Error: Expected \":\", found Int \"1\".");
    CHECK(refused("{ a(s: \"x) }") == "Syntax Error: Unterminated string.");
    CHECK(refused("{ a(s: \"\\q\") }") == "Syntax Error: Invalid character escape sequence: \"\\q\".");
    CHECK(refused("{ a(s: 01) }") == "Syntax Error: Invalid number, unexpected digit after 0.");
    CHECK(refused("{ a ? }") == "Syntax Error: Unexpected character: \"?\".");
    CHECK(refused("nonsense { a }") == "Syntax Error: Unexpected Name \"nonsense\".");
}

TEST_CASE("a query that is nested too deeply is refused, not followed") {
    std::string deep, list;
    for (int i = 0; i < 100'000; ++i) {
        deep += "{a";
        list += "[";
    }
    CHECK(refused(deep) == "Syntax Error: the query is nested too deeply.");
    CHECK(refused("{ a(x: " + list) == "Syntax Error: the query is nested too deeply.");
}

TEST_CASE("the schema refuses what it does not know, in graphql-js's words") {
    CHECK(wrong("{ pod { id } pods { name __typename } }").empty());
    CHECK(wrong("{ pod { x } }") == Texts{"Cannot query field \"x\" on type \"Pod\"."});
    CHECK(wrong("{ pod }") ==
          Texts{"Field \"pod\" of type \"Pod\" must have a selection of subfields. Did you mean "
                "\"pod { ... }\"?"});
    CHECK(wrong("mutation { end(id: \"x\") { id } }") ==
          Texts{"Field \"end\" must not have a selection since type \"Void\" has no subfields."});
    CHECK(wrong("mutation { end }") ==
          Texts{"Field \"end\" argument \"id\" of type \"String!\" is required, but it "
                "was not provided."});
    CHECK(wrong("{ pod(x: 1) { id } }") == Texts{"Unknown argument \"x\" on field \"Query.pod\"."});
    CHECK(wrong("{ pod { ...None } }") == Texts{"Unknown fragment \"None\"."});
    CHECK(wrong("{ pod { ...A } } fragment A on Pod { ...A }") ==
          Texts{"Cannot spread fragment \"A\" within itself."});
    CHECK(wrong("{ pods @first { id } }") == Texts{"Unknown directive \"@first\"."});
    CHECK(wrong("subscription { x }") ==
          Texts{"Schema is not configured to execute subscription operation."});
}

TEST_CASE("literals are checked by type") {
    const auto order = [](const std::string& fields) {
        return wrong("{ pod(input: {" + fields + "}) { id } }");
    };
    CHECK(
        order("count: 1, cost: 2, on: false, cloud: ALL, env: {key: \"a\" value: \"b\"}, ids: null").empty());
    CHECK(order("name: \"x\"") == Texts{"Field \"Order.count\" of required type \"Int!\" was not provided."});
    CHECK(order("count: 1.5") == Texts{"Int cannot represent non-integer value: 1.5"});
    CHECK(order("count: 1, cost: \"a\"") == Texts{"Float cannot represent non numeric value: \"a\""});
    CHECK(order("count: 1, name: 3") == Texts{"String cannot represent a non string value: 3"});
    CHECK(order("count: 1, on: 1") == Texts{"Boolean cannot represent a non boolean value: 1"});
    CHECK(order("count: 1, cloud: \"ALL\"") ==
          Texts{"Enum \"Cloud\" cannot represent non-enum value: \"ALL\"."});
    CHECK(order("count: 1, cloud: NONE") == Texts{"Value \"NONE\" does not exist in \"Cloud\" enum."});
    CHECK(order("count: null") == Texts{"Expected value of type \"Int!\", found null."});
    CHECK(order("count: 1, colour: 2") == Texts{"Field \"colour\" is not defined by type \"Order\"."});
    CHECK(order("count: 1, env: [{key: \"a\"}]") ==
          Texts{"Field \"Inner.value\" of required type \"String!\" was not provided."});
}

TEST_CASE("variables are checked by their declarations and by their values") {
    CHECK(wrong("query q { pod(input: $x) { id } }") ==
          Texts{"Variable \"$x\" is not defined by operation \"q\"."});
    CHECK(wrong("query q($x: Order) { pods { id } }") ==
          Texts{"Variable \"$x\" is never used in operation \"q\"."});
    CHECK(wrong("mutation($x: String) { end(id: $x) }") ==
          Texts{"Variable \"$x\" of type \"String\" used in position expecting type \"String!\"."});
    const Document document = read("query q($input: Order!) { pod(input: $input) { id } }");
    const auto value = [&](const json& given) {
        const auto out = variable_values(schema(), document.operations[0], given);
        return out ? out->dump() : out.error().message;
    };
    CHECK(value({{"input", {{"count", 1}}}}) == R"({"input":{"count":1}})");
    CHECK(value(json::object()) == "Variable \"$input\" of required type \"Order!\" was not provided.");
    CHECK(value({{"input", {{"count", 1}, {"x", 2}}}}) ==
          "Variable \"$input\" got invalid value {\"count\":1,\"x\":2}; Field \"x\" is not defined by type "
          "\"Order\".");
    CHECK(value({{"input", {{"count", "1"}}}}).ends_with("Int cannot represent non-integer value: \"1\""));
    CHECK(value({{"input", {{"count", 1}, {"cloud", "X"}}}})
              .ends_with("Value \"X\" does not exist in \"Cloud\" enum."));
}

TEST_CASE("what a directive marks can be left out of a schema") {
    CHECK(wrong("{ pod { bid } }").empty());
    const Schema without = Schema::parse("type Query { pod: Int bid: Float @spot }", {"spot"});
    CHECK(wrong("{ pod bid }", without) == Texts{"Cannot query field \"bid\" on type \"Query\"."});
}

TEST_CASE("Runpod's own schema reads, and each type it names is there") {
    const auto types = parse_types(runpod_types());
    INFO((types ? std::string() : types.error().message));
    REQUIRE(types);
    const Schema runpod = Schema::parse(runpod_types());
    const auto known = [&runpod](const TypeRef& type) {
        INFO(type.text());
        CHECK(runpod.type(type.base()) != nullptr);
    };
    for (const Type& type : *types) {
        for (const Field& field : type.fields) {
            known(field.type);
            for (const InputField& argument : field.arguments)
                known(argument.type);
        }
        for (const InputField& input : type.inputs)
            known(input.type);
    }
}
