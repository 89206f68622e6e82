#include "sim/graphql_execute.hpp"

#include <algorithm>

namespace podsmith::sim::graphql {
namespace {

using nlohmann::json;

asio::awaitable<Resolved> run_at_once(std::shared_ptr<const std::function<Resolved(const Call&)>> body,
                                      std::shared_ptr<const Call> call) {
    co_return (*body)(*call);
}

/// The fields asked for under one key of the answer; several when fragments overlap.
struct Asked {
    std::string key;
    std::vector<const Selection*> selections;
};

class Run {
public:
    explicit Run(std::shared_ptr<const Execution> what) : what_(std::move(what)) {}

    static asio::awaitable<json> start(std::shared_ptr<Run> self) {
        const Type* root = self->what_->schema->root(self->what_->operation->type);
        std::vector<Asked> asked;
        self->collect(self->what_->operation->selections, asked);
        json path = json::array();
        json nothing = json::object();
        json data = co_await object(self, root, nothing, asked, path);
        json out{{"data", std::move(data)}};
        if (!self->errors_.empty())
            out["errors"] = std::move(self->errors_);
        co_return out;
    }

private:
    bool is_wanted(const std::vector<Directive>& directives) const {
        return std::all_of(directives.begin(), directives.end(), [this](const Directive& one) {
            const json arguments = to_json(one.arguments, what_->variables);
            return arguments.value("if", false) == (one.name == "include");
        });
    }

    void collect(const std::vector<Selection>& selections, std::vector<Asked>& out) const {
        for (const Selection& one : selections) {
            if (!is_wanted(one.directives))
                continue;
            if (one.type == Selection::Type::inline_fragment) {
                collect(one.selections, out);
            } else if (one.type == Selection::Type::spread) {
                collect(what_->document->fragment(one.name)->selections, out);
            } else {
                const auto known =
                    std::find_if(out.begin(), out.end(), [&one](const Asked& a) { return a.key == one.key; });
                if (known == out.end())
                    out.push_back({one.key, {&one}});
                else
                    known->selections.push_back(&one);
            }
        }
    }

    static asio::awaitable<json> object(std::shared_ptr<Run> self, const Type* type, json source,
                                        std::vector<Asked> asked, json path) {
        json out = json::object();
        for (const Asked& one : asked) {
            json here = path;
            here.push_back(one.key);
            json value = co_await field(self, type, source, &one, here);
            out[one.key] = std::move(value);
        }
        co_return out;
    }

    static asio::awaitable<json> field(std::shared_ptr<Run> self, const Type* type, json source,
                                       const Asked* asked, json path) {
        const Selection& first = *asked->selections.front();
        if (first.name == "__typename")
            co_return type->name;
        json value = source.value(first.name, json());
        const auto found = self->what_->resolvers->find(type->name + "." + first.name);
        if (found != self->what_->resolvers->end()) {
            auto call = std::make_shared<Call>();
            call->arguments = to_json(first.arguments, self->what_->variables);
            call->parent = std::move(source);
            std::optional<Resolved> refused;
            if (path.size() == 1 && self->what_->gate)
                refused = self->what_->gate(first.name, *call);
            Resolved resolved;
            if (refused)
                resolved = std::move(*refused);
            else
                resolved = co_await found->second(call);
            if (!resolved.message.empty()) {
                self->errors_.push_back({{"message", resolved.message},
                                         {"path", path},
                                         {"extensions", {{"code", resolved.code}}}});
                co_return nullptr;
            }
            value = std::move(resolved.value);
        }
        const Field* definition = self->what_->schema->field(*type, first.name);
        const Type* result = self->what_->schema->type(definition->type.base());
        if (!result || result->kind != "type")
            co_return value;
        std::vector<Asked> inner;
        for (const Selection* selection : asked->selections)
            self->collect(selection->selections, inner);
        json shaped = co_await shape(self, result, std::move(value), std::move(inner), std::move(path));
        co_return shaped;
    }

    static asio::awaitable<json> shape(std::shared_ptr<Run> self, const Type* type, json value,
                                       std::vector<Asked> inner, json path) {
        if (value.is_object()) {
            json one = co_await object(self, type, std::move(value), std::move(inner), std::move(path));
            co_return one;
        }
        if (!value.is_array())
            co_return nullptr;
        json out = json::array();
        for (std::size_t i = 0; i < value.size(); ++i) {
            json here = path;
            here.push_back(i);
            json item = value[i];
            json one = co_await shape(self, type, std::move(item), inner, std::move(here));
            out.push_back(std::move(one));
        }
        co_return out;
    }

    std::shared_ptr<const Execution> what_;
    json errors_ = json::array();
};

} // namespace

Resolver at_once(std::function<Resolved(const Call&)> body) {
    auto kept = std::make_shared<const std::function<Resolved(const Call&)>>(std::move(body));
    return [kept](std::shared_ptr<const Call> call) { return run_at_once(kept, std::move(call)); };
}

asio::awaitable<json> execute(std::shared_ptr<const Execution> what) {
    auto run = std::make_shared<Run>(std::move(what));
    json out = co_await Run::start(run);
    co_return out;
}

} // namespace podsmith::sim::graphql
