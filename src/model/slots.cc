#include "core/error.h"
#include "model/architecture.h"

namespace farthing::model {

bool is_expert(Slot slot) {
  return slot == Slot::kExpertGate || slot == Slot::kExpertUp || slot == Slot::kExpertGateUp ||
         slot == Slot::kExpertDown;
}

bool is_linear(Slot slot) {
  switch (slot) {
    case Slot::kQ:
    case Slot::kK:
    case Slot::kV:
    case Slot::kQkv:
    case Slot::kO:
    case Slot::kGate:
    case Slot::kUp:
    case Slot::kGateUp:
    case Slot::kDown:
    case Slot::kExpertGate:
    case Slot::kExpertUp:
    case Slot::kExpertGateUp:
    case Slot::kExpertDown:
    case Slot::kRouter:
    case Slot::kHead:
    case Slot::kProjectIn:
    case Slot::kProjectOut:
      return true;
    default:
      return false;
  }
}

bool in_block(Slot slot) {
  switch (slot) {
    case Slot::kNone:
    case Slot::kEmbedding:
    case Slot::kPositionEmbedding:
    case Slot::kEmbeddingNorm:
    case Slot::kProjectIn:
    case Slot::kProjectOut:
    case Slot::kFinalNorm:
    case Slot::kHead:
    case Slot::kRopeFactors:
      return false;
    default:
      return true;
  }
}

Shape slot_shape(Slot slot, const ModelConfig& c, std::int64_t layer) {
  (void)layer;
  switch (slot) {
    case Slot::kEmbedding:
    case Slot::kHead:
      return {c.vocab, c.embedding_dim};
    case Slot::kPositionEmbedding:
      return {c.max_positions + c.position_offset, c.hidden};
    case Slot::kProjectIn:
      return {c.hidden, c.embedding_dim};
    case Slot::kProjectOut:
      return {c.embedding_dim, c.hidden};
    case Slot::kQ:
      return {c.q_width(), c.hidden};
    case Slot::kK:
    case Slot::kV:
      return {c.kv_width(), c.hidden};
    case Slot::kQkv:
      return {c.q_width() + 2 * c.kv_width(), c.hidden};
    case Slot::kO:
      return {c.hidden, c.q_width()};
    case Slot::kGate:
    case Slot::kUp:
      return {c.intermediate, c.hidden};
    case Slot::kGateUp:
      return {2 * c.intermediate, c.hidden};
    case Slot::kDown:
      return {c.hidden, c.intermediate};
    case Slot::kRouter:
      return {c.experts, c.hidden};
    case Slot::kExpertGate:
    case Slot::kExpertUp:
      return {c.expert_intermediate, c.hidden};
    case Slot::kExpertGateUp:
      return {2 * c.expert_intermediate, c.hidden};
    case Slot::kExpertDown:
      return {c.hidden, c.expert_intermediate};
    case Slot::kQNorm:
    case Slot::kKNorm:
      return {0, 0};  // per head or whole: checked where it is used
    case Slot::kRopeFactors:
      return {1, c.rotary_dim / 2};
    default:
      return {1, c.hidden};
  }
}

std::vector<std::int32_t> row_order(RowOrder order, const ModelConfig& c, std::int64_t rows) {
  std::vector<std::int32_t> result;
  if (order == RowOrder::kAsIs) return result;
  result.reserve(static_cast<std::size_t>(rows));
  const std::int64_t d = c.head_dim;
  if (order == RowOrder::kRopeInterleaved) {
    // Output row (head, half * d/2 + i) is stored at (head, 2 i + half).
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t head = r / d, in = r % d, half = in / (d / 2), i = in % (d / 2);
      result.push_back(static_cast<std::int32_t>(head * d + 2 * i + half));
    }
    return result;
  }
  const std::int64_t groups = order == RowOrder::kQkvPerHead ? c.heads : c.kv_heads;
  const std::int64_t queries = c.heads / groups, stored = (queries + 2) * d;
  const auto take = [&](std::int64_t first_head, std::int64_t count) {
    for (std::int64_t g = 0; g < groups; ++g)
      for (std::int64_t i = 0; i < count * d; ++i)
        result.push_back(static_cast<std::int32_t>(g * stored + first_head * d + i));
  };
  take(0, queries);
  take(queries, 1);
  take(queries + 1, 1);
  return result;
}

}  // namespace farthing::model
