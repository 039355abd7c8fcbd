// Filters over lists, dicts and whatever can be iterated. Those that Jinja writes as generators are
// lazy here too.
#include <algorithm>

#include "text/jinja_filters.h"
#include "text/jinja_methods.h"
#include "text/jinja_sort.h"
#include "text/jinja_unicode.h"

namespace farthing::text::jinja {
namespace {

using In = const Value&;

// For generators: asks for the source's iterator, and fails if there is none, with the first item.
class LazyIterator {
 public:
  LazyIterator(Runtime& runtime, In source) : runtime_(&runtime), source_(source) {}
  bool next(Value& out) {
    if (!it_) it_.emplace(*runtime_, source_);
    return it_->next(out);
  }

 private:
  Runtime* runtime_;
  Value source_;
  std::optional<Iterator> it_;
};

Value list(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("list", arguments, {});
  return runtime.list(collect(runtime, value));
}

Value first(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("first", arguments, {});
  Iterator it(runtime, value);
  Value item;
  return it.next(item) ? item : runtime.hint("no first item, sequence was empty");
}

// The items from the back. Failure for what Python cannot reverse.
Values reversed(Runtime& runtime, In value) {
  if (value.is(Kind::kGenerator)) fail("'generator' object is not reversible");
  Values items = collect(runtime, value);
  std::reverse(items.begin(), items.end());
  if (value.is_string() && value.markup())
    for (Value& item : items) item = item.with_markup(true);
  return items;
}

Value last(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("last", arguments, {});
  if (value.is_sequence()) {
    const Values& items = value.items();
    return items.empty() ? runtime.hint("no last item, sequence was empty") : items.back();
  }
  const Values items = reversed(runtime, value);
  return items.empty() ? runtime.hint("no last item, sequence was empty") : items.front();
}

Value iterate(Runtime& runtime, const char* name, In source, Values items) {
  const Value kept = runtime.list(std::move(items));
  return runtime.generator(name, source, [kept, at = std::size_t{0}](Value& out) mutable {
    if (at == kept.items().size()) return false;
    out = kept.items()[at++];
    return true;
  });
}

Value reverse(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  if (value.is_string()) {
    std::u32string points = decode(value.text());
    std::reverse(points.begin(), points.end());
    return runtime.string(encode(points), value.markup());
  }
  if (!is_iterable(value)) fail("argument must be iterable");
  if (value.is(Kind::kGenerator)) {
    Values items = collect(runtime, value);
    std::reverse(items.begin(), items.end());
    return runtime.list(std::move(items));
  }
  return iterate(runtime, "list_reverseiterator", value, reversed(runtime, value));
}

Value join(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const std::string separator = bound.has(0) ? to_text(runtime, bound[0]) : "";
  const AttributePath path(runtime, bound[1]);
  TextBuilder out(runtime);
  Iterator it(runtime, value);
  bool more = false;
  for (Value item; it.next(item); more = true) {
    if (more) out += separator;
    out += to_text(runtime, path.of(runtime, item));
  }
  return runtime.string(out.take());
}

Values sorted(const Values& items, const Values& keys, bool reverse) {
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  merge_sort(order, [&](std::size_t b, std::size_t a) {
    return reverse ? less(keys[a], keys[b]) : less(keys[b], keys[a]);
  });
  Values out;
  out.reserve(items.size());
  for (const std::size_t i : order) out.push_back(items[i]);
  return out;
}

Value sort(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  if (bound.has(2) && bound[2].is_string()) {
    const std::string_view comma = ",";
    for (const std::string_view part : split_text(bound[2].text(), &comma, -1, false))
      paths.emplace_back(runtime, runtime.string(std::string(part)));
  } else {
    paths.emplace_back(runtime, bound[2]);
  }
  const Values items = collect(runtime, value);
  Values keys;
  for (const Value& item : items) {
    Values parts;
    for (const AttributePath& path : paths)
      parts.push_back(fold_case(runtime, path.of(runtime, item), bound.flag(1)));
    keys.push_back(runtime.list(std::move(parts)));
  }
  return runtime.list(sorted(items, keys, bound.flag(0)));
}

Value dictsort(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.has(1) ? to_text(runtime, bound[1]) : "key";
  if (by != "key" && by != "value") fail("dictsort can only sort by \"key\" or \"value\"");
  if (value.undefined()) fail_undefined(value);
  if (!value.is(Kind::kDict)) fail("dictsort needs a mapping, not a {}", type_name(value));
  Values items;
  Values keys;
  for (const auto& [key, item] : value.as<Dict>().items) {
    push(runtime, items, runtime.tuple({key, item}));
    push(runtime, keys, fold_case(runtime, by == "key" ? key : item, bound.flag(0)));
  }
  return runtime.list(sorted(items, keys, bound.flag(2)));
}

Value unique(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(runtime, bound[1]);
  const bool sensitive = bound.flag(0);
  auto* seen = runtime.heap.make<Dict>();
  LazyIterator it(runtime, value);
  return runtime.generator(
      "sync_do_unique", value, [&runtime, path, sensitive, seen, it](Value& out) mutable {
        while (it.next(out)) {
          const Value key = fold_case(runtime, path.of(runtime, out), sensitive);
          if (seen->find(key) != nullptr) continue;
          set_item(runtime, *seen, key, Value::none());
          return true;
        }
        return false;
      });
}

template <bool greatest>
Value extreme(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("min and max", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(runtime, bound[1]);
  Iterator it(runtime, value);
  Value best;
  if (!it.next(best)) return runtime.hint("no aggregated item, sequence was empty");
  Value best_key = fold_case(runtime, path.of(runtime, best), bound.flag(0));
  for (Value item; it.next(item);) {
    Value key = fold_case(runtime, path.of(runtime, item), bound.flag(0));
    if (!(greatest ? less(best_key, key, ">") : less(key, best_key))) continue;
    best = item;
    best_key = std::move(key);
  }
  return best;
}

Value sum(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  const AttributePath path(runtime, bound[0]);
  Value total = bound.get(1, Value::integer(0));
  if (total.is_string()) fail("sum() can't sum strings");
  Iterator it(runtime, value);
  for (Value item; it.next(item);)
    total = arithmetic(runtime, Op::kAdd, total, path.of(runtime, item));
  return total;
}

Value items(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("items", arguments, {});
  const Value source = value;
  return runtime.generator("do_items", value,
                           [&runtime, source, at = std::size_t{0}](Value& out) mutable {
                             if (source.undefined()) return false;
                             if (!source.is(Kind::kDict))
                               fail("can only get item pairs from a mapping");
                             const auto& pairs = source.as<Dict>().items;
                             if (at == pairs.size()) return false;
                             out = runtime.tuple({pairs[at].first, pairs[at].second});
                             ++at;
                             return true;
                           });
}

Value batch(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t count = bound.integer(0, 1);
  const Value fill = bound.get(1, Value::none());
  LazyIterator it(runtime, value);
  return runtime.generator(
      "do_batch", value,
      [&runtime, it, count, fill, held = Value(), done = false](Value& out) mutable {
        Values row;
        if (!held.missing()) row.push_back(std::exchange(held, Value()));
        Value item;
        while (!done) {
          if (!it.next(item)) {
            done = true;
          } else if (static_cast<std::int64_t>(row.size()) == count) {
            held = item;
            out = runtime.list(std::move(row));
            return true;
          } else {
            push(runtime, row, item);
          }
        }
        if (row.empty()) return false;
        if (!fill.is_none())
          while (static_cast<std::int64_t>(row.size()) < count) push(runtime, row, fill);
        out = runtime.list(std::move(row));
        return true;
      });
}

Value slices(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  const std::int64_t count = bound.integer(0, 1);
  const Value fill = bound.get(1, Value::none());
  const Value source = value;
  return runtime.generator("sync_do_slice", value,
                           [&runtime, source, count, fill, all = Value(), number = std::int64_t{0},
                            from = std::int64_t{0}](Value& out) mutable {
                             if (all.missing()) {
                               all = runtime.list(collect(runtime, source));
                               if (count == 0) fail("integer division or modulo by zero");
                             }
                             if (number >= count) return false;
                             const std::int64_t size = length(all);
                             const bool extra = number < size % count;
                             const std::int64_t to = from + size / count + extra;
                             Values part(all.items().begin() + from, all.items().begin() + to);
                             if (!fill.is_none() && !extra) part.push_back(fill);
                             from = to;
                             ++number;
                             out = runtime.list(std::move(part));
                             return true;
                           });
}

Value groupby(Runtime& runtime, In value, Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(runtime, bound[0], bound[1]);
  const Values all = collect(runtime, value);
  Values keys;
  for (const Value& item : all)
    push(runtime, keys, fold_case(runtime, path.of(runtime, item), bound.flag(2)));
  const Values ordered = sorted(all, keys, false);
  Values groups;
  for (std::size_t i = 0; i < ordered.size();) {
    const Value key = path.of(runtime, ordered[i]);
    const Value folded = fold_case(runtime, key, bound.flag(2));
    Values members;
    for (; i < ordered.size(); ++i) {
      if (!equal(fold_case(runtime, path.of(runtime, ordered[i]), bound.flag(2)), folded)) break;
      push(runtime, members, ordered[i]);
    }
    const Value group = runtime.tuple({key, runtime.list(std::move(members))});
    group.as<List>().group = true;
    push(runtime, groups, group);
  }
  return runtime.list(std::move(groups));
}

Arguments without(const Arguments& arguments, std::size_t positional) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(positional));
  return rest;
}

Value map_attribute(Runtime& runtime, In value, const Arguments& arguments) {
  const Bound bound("map", arguments, {"attribute", "default"});
  const AttributePath path(runtime, bound[0], bound[1]);
  LazyIterator it(runtime, value);
  return runtime.generator("sync_do_map", value, [&runtime, path, it](Value& out) mutable {
    if (!it.next(out)) return false;
    out = path.of(runtime, out);
    return true;
  });
}

Value map(Runtime& runtime, In value, Arguments& arguments) {
  if (!truth(value)) return iterate(runtime, "sync_do_map", value, {});
  const bool by_attribute =
      arguments.positional.empty() && !arguments.named.empty() &&
      std::any_of(arguments.named.begin(), arguments.named.end(),
                  [](const auto& named) { return named.first.text() == "attribute"; });
  if (by_attribute) return map_attribute(runtime, value, arguments);
  const Value name = arguments.positional.empty() ? Value() : arguments.positional[0];
  const FilterFunction filter = name.is_string() ? find_filter(name.text()) : nullptr;
  const Arguments rest = without(arguments, std::min<std::size_t>(1, arguments.positional.size()));
  LazyIterator it(runtime, value);
  return runtime.generator("sync_do_map", value,
                           [&runtime, name, filter, rest, it](Value& out) mutable {
                             if (!it.next(out)) return false;
                             if (filter == nullptr)
                               fail("there is no filter called '{}'", to_text(runtime, name));
                             Arguments copy = rest;
                             out = filter(runtime, Value(out), copy);
                             return true;
                           });
}

// select, reject and their forms that look at an attribute.
template <bool wanted, bool by_attribute>
Value select(Runtime& runtime, In value, Arguments& arguments) {
  if (!truth(value)) return iterate(runtime, "select_or_reject", value, {});
  constexpr std::size_t kOffset = by_attribute ? 1 : 0;
  const std::size_t given = arguments.positional.size();
  if (given < kOffset) fail("missing parameter for attribute name");
  const AttributePath path(runtime, by_attribute ? arguments.positional[0] : Value());
  const Value name = given > kOffset ? arguments.positional[kOffset] : Value();
  const TestFunction test = name.is_string() ? find_test(name.text()) : nullptr;
  const Arguments rest = without(arguments, std::min(given, kOffset + 1));
  LazyIterator it(runtime, value);
  return runtime.generator("select_or_reject", value,
                           [&runtime, path, name, test, rest, it](Value& out) mutable {
                             while (it.next(out)) {
                               const Value seen = path.of(runtime, out);
                               if (name.missing()) {
                                 if (truth(seen) == wanted) return true;
                                 continue;
                               }
                               if (test == nullptr)
                                 fail("there is no test called '{}'", to_text(runtime, name));
                               Arguments copy = rest;
                               if (test(runtime, seen, copy) == wanted) return true;
                             }
                             return false;
                           });
}

constexpr FilterRow kSequenceFilters[] = {{"list", list},
                                          {"first", first},
                                          {"last", last},
                                          {"reverse", reverse},
                                          {"join", join},
                                          {"sort", sort},
                                          {"dictsort", dictsort},
                                          {"unique", unique},
                                          {"min", extreme<false>},
                                          {"max", extreme<true>},
                                          {"sum", sum},
                                          {"items", items},
                                          {"batch", batch},
                                          {"slice", slices},
                                          {"groupby", groupby},
                                          {"map", map},
                                          {"select", select<true, false>},
                                          {"reject", select<false, false>},
                                          {"selectattr", select<true, true>},
                                          {"rejectattr", select<false, true>}};

}  // namespace

std::span<const FilterRow> sequence_filters() { return kSequenceFilters; }

}  // namespace farthing::text::jinja
