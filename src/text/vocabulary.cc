#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "core/text.h"

namespace farthing::text {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;
  std::uint64_t hash = bytes.size() * kOdd + 0xD1B54A32D192ED03u;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    hash = mix(hash ^ word, kOdd);
  }
  std::uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, at, left);
  return mix(hash ^ tail, kOdd ^ 0x2545F4914F6CDD1Du);
}

void Vocabulary::reserve(std::size_t pieces, std::size_t bytes) {
  arena_.reserve(bytes);
  spans_.reserve(pieces);
  const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(64, pieces * 2));
  if (wanted > slots_.size() && count_ == 0) slots_.assign(wanted, {});
}

Token* Vocabulary::slot_of(std::string_view piece, std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (slot.id == kNoToken) {
      slot.tag = tag;
      return &slot.id;
    }
    if (slot.tag == tag && text(slot.id) == piece) return &slot.id;
  }
}

void Vocabulary::grow() {
  slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), {});
  for (Token id = 0; id < size(); ++id)
    if (has(id)) *slot_of(text(id), hash_bytes(text(id))) = id;
}

void Vocabulary::add(std::string_view piece, std::int64_t id) {
  if (id < 0 || id > kMaxId)
    bad_input("{}: token \"{}\" has the id {}; ids run from 0 to {}", where_, printable(piece), id,
              kMaxId);
  if (piece.size() > kMaxPieceBytes)
    bad_input("{}: token {} is {} bytes long; the limit is {}", where_, id, piece.size(),
              kMaxPieceBytes);
  if (has(static_cast<Token>(id)))
    bad_input("{}: the id {} belongs to both \"{}\" and \"{}\"; each token needs its own", where_,
              id, printable(text(static_cast<Token>(id))), printable(piece));
  if (static_cast<std::size_t>(count_) * 2 >= slots_.size()) grow();
  Token* slot = slot_of(piece, hash_bytes(piece));
  if (*slot != kNoToken)
    bad_input("{}: the token \"{}\" has both the id {} and the id {}; it needs one", where_,
              printable(piece), *slot, id);
  if (id >= size()) spans_.resize(static_cast<std::size_t>(id) + 1);
  spans_[static_cast<std::size_t>(id)] = {arena_.size(), static_cast<std::uint32_t>(piece.size()),
                                          true, false};
  arena_ += piece;
  *slot = static_cast<Token>(id);
  ++count_;
  longest_ = std::max(longest_, piece.size());
}

std::string_view Vocabulary::text(Token id) const {
  if (!has(id)) return {};
  const Span& span = spans_[static_cast<std::size_t>(id)];
  return std::string_view(arena_).substr(span.begin, span.length);
}

Token Vocabulary::find_even_hidden(std::string_view piece) const {
  if (piece.size() > longest_ || slots_.empty()) return kNoToken;
  const std::uint64_t hash = hash_bytes(piece);
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNoToken) return kNoToken;
    if (slot.tag == tag && text(slot.id) == piece) return slot.id;
  }
}

Token Vocabulary::find(std::string_view piece) const {
  const Token id = find_even_hidden(piece);
  return id != kNoToken && spans_[static_cast<std::size_t>(id)].hidden ? kNoToken : id;
}

}  // namespace farthing::text
