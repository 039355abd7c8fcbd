#include "compress/stream_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "compress/calibrated_blocks.h"
#include "compress/slab.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/plain_matrix.h"
#include "io/safetensors.h"

namespace farthing::compress {
namespace {

constexpr std::size_t kCopyBytes = 4u << 20;  // of a tensor that is copied, at a time

std::int64_t weights_of(const Item& item) {
  if (item.unit != nullptr) return item.unit->weights();
  std::int64_t count = 1;
  for (const std::int64_t size : item.copied->shape) count *= size;
  return count;
}

class ShardStream {
 public:
  ShardStream(const StreamJob& job) : job_(job) {
    for (const Shard& shard : job.shards)
      for (const Piece& piece : shard.pieces)
        for (const Item& item : piece.items) total_ += weights_of(item);
  }

  void skip(const Shard& shard) {
    for (const Piece& piece : shard.pieces)
      for (const Item& item : piece.items) done_ += weights_of(item);
  }

  std::vector<UnitResult> write(const Shard& shard, io::PlannedSafetensors& file) {
    std::vector<UnitResult> results;
    std::size_t tensor = 0;
    SlabWriter slabs(job_.runtime, job_.map, file, job_.steps, job_.slab_bytes);
    for (const Piece& piece : shard.pieces) {
      FinishedBlock block;
      const bool calibrated = job_.calibrated != nullptr && piece.layer >= 0;
      if (calibrated) block = job_.calibrated->compress(piece.layer);
      for (const Item& item : piece.items) {
        if (item.copied != nullptr) {
          if (const QuantizedTensor* changed = changed_vector(block, item.copied->name))
            file.write(tensor++, 0, changed->parts[0].view());
          else if (const auto made = outside_vector(*item.copied); made && piece.layer < 0)
            file.write(tensor++, 0, made->parts[0].view());
          else
            copy(*item.copied, tensor++, file);
          report(weights_of(item));
          continue;
        }
        if (calibrated) {
          const FinishedMatrix& made = finished_matrix(block, *item.unit);
          slabs.write_made(*item.unit, made.slices, tensor);
          std::size_t more = tensor + made.slices[0].parts.size();
          if (item.unit->multiplied)
            file.write(more++, 0,
                       block.vectors.at(item.unit->base + ".input_multiplier").parts[0].view());
          if (item.unit->has_static_inputs())
            file.write(more, 0, std::as_bytes(std::span(&made.result.input_scale, 1)));
          results.push_back(made.result);
          report(weights_of(item));
        } else {
          const auto rounder = rounder_of(*item.unit);
          results.push_back(
              slabs.write(*item.unit, *rounder, tensor, [&](std::int64_t n) { report(n); }));
        }
        tensor += planned_tensors(*item.unit, job_.map.checkpoint()).size();
      }
    }
    return results;
  }

  // The samples go through the blocks of a shard that an earlier run has finished.
  void replay(const Shard& shard, const io::SafetensorsFile& file) {
    if (job_.calibrated == nullptr) return;
    for (const Piece& piece : shard.pieces)
      if (piece.layer >= 0) job_.calibrated->replay(piece.layer, read_block(piece, file));
  }

 private:
  static const QuantizedTensor* changed_vector(const FinishedBlock& block, std::string_view name) {
    auto found = block.vectors.find(std::string(name));
    if (found == block.vectors.end() && name.ends_with(".weight"))
      found = block.vectors.find(std::string(name.substr(0, name.size() - 7)));
    return found == block.vectors.end() ? nullptr : &found->second;
  }

  // What a step makes of a vector outside of the blocks, in the type that the file has.
  std::optional<QuantizedTensor> outside_vector(const io::TensorInfo& tensor) const {
    std::string base = tensor.name;
    if (base.ends_with(".weight")) base.resize(base.size() - 7);
    for (const auto& step : job_.steps) {
      const std::vector<float> values = step->new_vector(job_.map, base);
      if (values.empty()) continue;
      return make_vector(values, job_.map.checkpoint().matrix(base).value().scheme);
    }
    return std::nullopt;
  }

  static const FinishedMatrix& finished_matrix(const FinishedBlock& block,
                                               const PlannedUnit& unit) {
    for (const FinishedMatrix& matrix : block.matrices)
      if (matrix.unit == &unit) return matrix;
    throw Error(Fault::kInternal, fmt::format("{}: calibration left it out", unit.base));
  }

  // What a finished shard says of a block: its matrices, and its vectors whether changed or not.
  FinishedBlock read_block(const Piece& piece, const io::SafetensorsFile& file) const {
    const auto bytes_of = [&](const std::string& name) {
      for (const io::TensorInfo& tensor : file.content().tensors)
        if (tensor.name == name) return tensor.bytes;
      bad_input("{}: is damaged: {} is not in it; remove the unfinished artefact and start again",
                printable(file.file().path(), 400), printable(name));
    };
    const io::Checkpoint& checkpoint = job_.map.checkpoint();
    FinishedBlock block;
    for (const Item& item : piece.items) {
      if (item.copied != nullptr) {
        std::string base = item.copied->name;
        if (base.ends_with(".weight")) base.resize(base.size() - 7);
        const auto stored = checkpoint.matrix(base);
        if (!stored || stored->shape.rows != 1)
          continue;  // a kept matrix: as the checkpoint has it
        std::vector<Bytes> parts;
        parts.push_back(Bytes::borrow(bytes_of(item.copied->name)));
        block.vectors.insert_or_assign(
            base, borrow_tensor(stored->shape, stored->scheme, std::move(parts), base));
        continue;
      }
      const PlannedUnit& unit = *item.unit;
      const auto planned = planned_tensors(unit, checkpoint);
      FinishedMatrix matrix{&unit, {}, {.base = unit.base}};
      for (int slice = 0; slice < unit.slices; ++slice) {
        std::vector<Bytes> parts;
        const auto whole = find_format(unit.scheme).parts(unit.written_shape(), unit.scheme);
        for (std::size_t i = 0; i < whole.size(); ++i) {
          if (whole[i].suffix == ".weight_shape" && unit.slices > 1) {
            parts.push_back(std::move(allocate_tensor(unit.written_shape(), unit.scheme).parts[i]));
            continue;
          }
          const std::size_t size = whole[i].bytes;
          parts.push_back(Bytes::borrow(
              bytes_of(planned[i].name).subspan(static_cast<std::size_t>(slice) * size, size)));
        }
        matrix.slices.push_back(
            borrow_tensor(unit.written_shape(), unit.scheme, std::move(parts), unit.base));
      }
      if (unit.multiplied) {
        const std::string name = unit.base + ".input_multiplier";
        std::vector<Bytes> numbers;
        numbers.push_back(Bytes::borrow(bytes_of(name)));
        block.vectors.insert_or_assign(
            name, borrow_tensor({1, unit.shape.cols}, {.element = Element::kF32, .bits = 32},
                                std::move(numbers), name));
      }
      if (unit.has_static_inputs())
        std::memcpy(&matrix.result.input_scale, bytes_of(planned.back().name).data(),
                    sizeof(float));
      block.matrices.push_back(std::move(matrix));
    }
    return block;
  }

  // The last step that rounds this matrix.
  std::unique_ptr<Rounder> rounder_of(const PlannedUnit& unit) const {
    std::unique_ptr<Rounder> rounder;
    const calibrate::LinearStatistics* inputs =
        job_.calibrated != nullptr ? job_.calibrated->head_inputs(unit) : nullptr;
    for (const auto& step : job_.steps)
      if (auto made = step->rounder(job_.runtime, unit, inputs)) rounder = std::move(made);
    if (rounder == nullptr)
      throw Error(Fault::kInternal, fmt::format("{}: no step rounds it", unit.base));
    return rounder;
  }

  void report(std::int64_t weights) {
    done_ += weights;
    constexpr std::int64_t kUnit = 1'000'000;
    if (total_ < 10 * kUnit)
      job_.progress.update("weights", done_, total_);
    else
      job_.progress.update("million weights", done_ / kUnit, total_ / kUnit);
    if (job_.progress.cancelled())
      throw Error(Fault::kInterrupted, "interrupted; the same command goes on where it stopped");
  }

  void copy(const io::TensorInfo& tensor, std::size_t number, io::PlannedSafetensors& file) {
    for (std::size_t at = 0; at < tensor.bytes.size(); at += kCopyBytes) {
      const ByteSpan piece =
          tensor.bytes.subspan(at, std::min(kCopyBytes, tensor.bytes.size() - at));
      check_numbers(tensor, at, piece);
      file.write(number, at, piece);
      QuantizedTensor read;
      read.parts.push_back(Bytes::borrow(piece));
      job_.map.checkpoint().release(read);
    }
  }

  // What is copied is not rounded, but a NaN in a norm ruins a model as surely as one in a linear.
  void check_numbers(const io::TensorInfo& tensor, std::size_t at, ByteSpan piece) const {
    const bool is_float = tensor.dtype == "F32" || tensor.dtype == "BF16" || tensor.dtype == "F16";
    if (!is_float || piece.empty()) return;
    const std::size_t width = tensor.dtype == "F32" ? 4 : 2;
    const auto count = static_cast<std::int64_t>(piece.size() / width);
    const auto before = static_cast<std::int64_t>(at / width);
    const std::int64_t cols =
        tensor.shape.empty() ? 1 : std::max<std::int64_t>(tensor.shape.back(), 1);
    io::TensorInfo flat = tensor;  // one row, whatever its rank
    constexpr std::int64_t kRun = 65536;
    flat.shape = {count}, flat.bytes = piece;
    const QuantizedTensor numbers = io::plain_matrix(flat, 0, 1, job_.map.checkpoint().path());
    job_.runtime.parallel((count + kRun - 1) / kRun, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> run;
      for (std::int64_t first = begin * kRun; first < std::min(count, end * kRun); first += kRun) {
        run.resize(static_cast<std::size_t>(std::min(kRun, count - first)));
        QuantizedTensor part{numbers.format, {1, std::ssize(run)}, numbers.scheme, {}};
        part.parts.push_back(Bytes::borrow(
            piece.subspan(static_cast<std::size_t>(first) * width, run.size() * width)));
        part.format->dequantize(part, 0, {run.data(), 1, std::ssize(run)});
        for (std::size_t i = 0; i < run.size(); ++i)
          if (!std::isfinite(run[i])) {
            const std::int64_t place = before + first + static_cast<std::int64_t>(i);
            bad_input(
                "{}: {} has the weight {} in row {}, column {}; weights must be numbers: the "
                "file is damaged, or the training that made it went wrong",
                printable(job_.map.checkpoint().path(), 400), printable(tensor.name), run[i],
                place / cols, place % cols);
          }
      }
    });
  }

  const StreamJob& job_;
  std::int64_t total_ = 0, done_ = 0;
};

std::vector<io::PlannedTensor> tensors_of(const Shard& shard, const io::Checkpoint& checkpoint) {
  std::vector<io::PlannedTensor> tensors;
  for (const Piece& piece : shard.pieces)
    for (const Item& item : piece.items) {
      if (item.copied != nullptr) {
        tensors.push_back(planned_tensor(*item.copied));
        continue;
      }
      for (io::PlannedTensor& tensor : planned_tensors(*item.unit, checkpoint))
        tensors.push_back(std::move(tensor));
    }
  return tensors;
}

Json to_note(const std::vector<UnitResult>& results) {
  Json note = Json::array();
  for (const UnitResult& result : results)
    note.push_back({result.base, result.error, result.magnitude, result.input_scale, result.starved,
                    result.zeros});
  return note;
}

void read_note(const Json& note, std::vector<UnitResult>& results) {
  for (const Json& entry : note) {
    results.push_back({entry.at(0).get<std::string>(), entry.at(1).get<double>(),
                       entry.at(2).get<double>(), entry.at(3).get<float>(), entry.at(4).get<int>(),
                       entry.at(5).get<double>()});
  }
}

}  // namespace

StreamNeed stream_need(std::span<const Shard> shards, std::uint64_t slab_bytes, int threads) {
  StreamNeed need;
  std::uint64_t slab = 0;
  for (const Shard& shard : shards) {
    need.disk_bytes += shard.bytes + (1u << 20);
    for (const Piece& piece : shard.pieces)
      for (const Item& item : piece.items)
        if (item.unit != nullptr) slab = std::max(slab, slab_need(*item.unit, slab_bytes, threads));
  }
  need.memory_bytes = slab + kCopyBytes;
  return need;
}

std::vector<UnitResult> stream_shards(const StreamJob& job, io::ArtefactWriter& writer) {
  std::vector<UnitResult> results;
  ShardStream stream(job);
  int unfinished = writer.shards();  // shards before the last of these must be run through again
  while (unfinished > 0 && writer.has(unfinished - 1)) --unfinished;
  for (int i = 0; i < writer.shards(); ++i) {
    const Shard& shard = job.shards[static_cast<std::size_t>(i)];
    if (writer.has(i)) {
      read_note(writer.note(i), results);
      if (job.calibrated != nullptr && i < unfinished)
        stream.replay(shard, writer.finished_shard(i));
      stream.skip(shard);
      continue;
    }
    const auto file = writer.begin_shard(i, tensors_of(shard, job.map.checkpoint()));
    std::vector<UnitResult> made = stream.write(shard, *file);
    writer.finish_shard(i, *file, to_note(made));
    for (UnitResult& result : made) results.push_back(std::move(result));
  }
  return results;
}

}  // namespace farthing::compress
