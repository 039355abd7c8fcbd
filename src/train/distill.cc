#include "train/distill.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/artefact.h"
#include "io/durable_file.h"
#include "io/mapped_file.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "train/distillation.h"
#include "train/grid_scales.h"
#include "train/student.h"

namespace farthing::train {
namespace {

// A checkpoint with its map; the configuration and the map are borrowed by each other.
struct Opened {
  explicit Opened(const std::string& path)
      : checkpoint(io::Checkpoint::open(path)),
        architecture(model::architecture_of(*checkpoint)),
        config(model::config_of(architecture, *checkpoint)),
        map(architecture, config, *checkpoint) {}
  std::unique_ptr<io::Checkpoint> checkpoint;
  const model::Architecture& architecture;
  model::ModelConfig config;
  model::TensorMap map;
};

// Refuses two models whose tokens are not the same.
void check_vocabulary(const Opened& teacher, const Opened& student, const text::Tokenizer* own,
                      const text::Tokenizer* theirs) {
  const std::string shown = printable(student.checkpoint->path(), 400);
  if (teacher.config.vocab != student.config.vocab)
    bad_input(
        "{}: the student must have its teacher's vocabulary of {} tokens to learn its "
        "probabilities; it has {}",
        shown, teacher.config.vocab, student.config.vocab);
  if (own == nullptr || theirs == nullptr) return;
  for (std::int64_t id = 0; id < std::max(own->size(), theirs->size()); ++id) {
    const auto token = static_cast<text::Token>(id);
    if (own->token_text(token) != theirs->token_text(token))
      bad_input(
          "{}: the student must have its teacher's vocabulary; token {} is \"{}\" there and \"{}\" "
          "in the teacher",
          shown, id, printable(own->token_text(token)), printable(theirs->token_text(token)));
  }
}

// Settings that make no sense together or by themselves.
void check(const DistillOptions& o) {
  const auto within = [](std::string_view what, double value, double least, double most) {
    if (!(value >= least && value <= most))
      usage_error("{} must be from {} to {}; got {}", what, least, most, value);
  };
  within("--labels", o.loss.labels, 0, 1);
  within("--temperature", o.loss.temperature, 0.05, 100);
  within("--mix", o.loss.mix, 0, 1);
  within("--hidden", o.hidden, 0, 1e6);
  within("--lr", o.train.learning_rate, 0, 1e30);
  within("--last-rate", o.train.last_rate, 0, 1);
  within("--clip", o.train.optimizer.clip, 0, 1e12);
  within("--weight-decay", o.train.optimizer.weight_decay, 0, 1);
  within("--steps", static_cast<double>(o.train.steps), 1, 1e9);
  within("--batch", static_cast<double>(o.batch), 1, 65536);
  within("--warmup", static_cast<double>(o.train.warmup), 0, static_cast<double>(o.train.steps));
  within("--save-every", static_cast<double>(o.train.save_every), 1, 1e9);
  within("--rank", static_cast<double>(o.rank), 1, 4096);
  within("--best", static_cast<double>(o.best), 1, 65536);
  if (o.hidden > 0 && (!o.cache.empty() || o.loss.labels == 1))
    usage_error("--hidden needs a teacher that runs along: leave out --cache and --labels 1");
  check(o.on_policy);
  if (o.on_policy.share > 0 && (!o.cache.empty() || o.loss.labels > 0))
    usage_error(
        "--on-policy lets the teacher judge what the student says, which is in no text: leave out "
        "{}",
        o.cache.empty() ? "--labels" : "--cache");
  if (o.loss.mix > 0 &&
      (o.loss.divergence == Divergence::kForward || o.loss.divergence == Divergence::kReverse))
    usage_error("--mix belongs to --loss jsd, skew-forward and skew-reverse; {} has none",
                divergence_name(o.loss.divergence));
}

std::string numbers(std::initializer_list<double> values) {
  std::string text;
  for (const double value : values) text += fmt::format("{} ", value);
  return text;
}

class Distiller {
 public:
  Distiller(Runtime& runtime, const std::string& teacher, const std::string& out,
            const DistillOptions& options, Progress& progress)
      : runtime_(runtime), options_(options), progress_(progress), out_(out), teacher_(teacher) {
    while (out_.size() > 1 && out_.back() == '/') out_.pop_back();
    partial_ = out_ + ".partial";
  }

  DistillReport run(const std::string& student) {
    if (io::file_exists(out_))
      usage_error("{}: is there already; remove it or write to another name", printable(out_, 400));
    const bool drawn = is_config_only(student);
    const std::string fresh = partial_ + "/student";
    if (drawn) {
      io::make_directory(partial_);
      write_random_student(teacher_.map, student, options_.train.seed, fresh);
    }
    Opened pupil(drawn ? fresh : student);
    const auto tokenizer = text::Tokenizer::load(*teacher_.checkpoint);
    if (!tokenizer)
      bad_input("{}: has no tokenizer, so text cannot teach with it",
                printable(teacher_.checkpoint->path(), 400));
    const auto own = drawn ? nullptr : text::Tokenizer::load(*pupil.checkpoint);
    check_vocabulary(teacher_, pupil, own.get(), tokenizer.get());
    check_hidden(pupil);
    read_text(*tokenizer, pupil);

    const Part part = options_.train.part;
    Decoder decoder(
        runtime_, pupil.map,
        part == Part::kScales ? ParameterSet::Use::kGradients : ParameterSet::Use::kWriteBack);
    if (part == Part::kAdapters)
      stand_in_ =
          std::make_unique<Adapters>(decoder.parameters(), options_.rank, options_.train.seed);
    if (part == Part::kScales)
      stand_in_ = std::make_unique<GridScales>(pupil.map, decoder.parameters());
    check_memory(decoder);
    io::ArtefactWriter writer(out_, key(pupil), 1);
    auto loaded = make_teacher(pupil);
    Distillation objective(runtime_, options_.loss, loaded.get(), options_.hidden, matches(pupil));
    TrainOptions train_options = options_.train;
    train_options.state_file = partial_ + "/training.safetensors";
    OnPolicyOptions sampling = options_.on_policy;
    sampling.seed = options_.train.seed;
    OnPolicy with_samples(runtime_, pupil.map, sampling, objective);
    report_.train = train(runtime_, decoder, stand_in_.get(), *batches_,
                          sampling.share > 0 ? static_cast<Objective&>(with_samples) : objective,
                          train_options, progress_);
    write_student(pupil.map, decoder.parameters(), dynamic_cast<const GridScales*>(stand_in_.get()),
                  writer);
    writer.write_file("config.json", pupil.checkpoint->config().dump(1) + "\n");
    writer.write_file(std::string(kTrainingFile), record(pupil).dump(1) + "\n");
    if (const auto artefact = pupil.checkpoint->text_file(io::kArtefactFile))
      writer.write_file(io::kArtefactFile, *artefact);
    writer.copy_texts(own ? *pupil.checkpoint : *teacher_.checkpoint);
    writer.finish();
    return report_;
  }

 private:
  void check_hidden(const Opened& pupil) const {
    if (options_.hidden > 0 && pupil.config.hidden != teacher_.config.hidden)
      bad_input(
          "{}: --hidden compares states of the same width; the student has {} features and its "
          "teacher {}",
          printable(pupil.checkpoint->path(), 400), pupil.config.hidden, teacher_.config.hidden);
  }

  void read_text(const text::Tokenizer& tokenizer, const Opened& pupil) {
    calibrate::DataRequest request = options_.data;
    request.samples = request.samples > 0 ? request.samples : options_.train.steps * options_.batch;
    const std::int64_t longest =
        std::min(pupil.config.max_positions, teacher_.config.max_positions);
    if (options_.on_policy.prompt >= request.length)
      usage_error("--prompt must be below the {} tokens of a sample; got {}", request.length,
                  options_.on_policy.prompt);
    if (request.length > longest)
      usage_error("--length must be at most the {} positions of the models; got {}", longest,
                  request.length);
    request.length += 1;  // the last token is only a label
    request.as_many_as_there_are = true;
    const auto data = calibrate::load_data(tokenizer, *teacher_.checkpoint, request);
    for (const std::string& note : data.notes) progress_.note("note: " + note);
    batches_ = std::make_unique<Batches>(data, options_.batch, request.seed);
    report_.data_sha256 = data.sha256;
    report_.samples = batches_->samples();
    report_.rows = batches_->rows();
    progress_.note(fmt::format("{} samples of text, {} tokens: {:.1f} rounds in {} steps of {}",
                               report_.samples, report_.rows,
                               static_cast<double>(options_.train.steps * options_.batch) /
                                   static_cast<double>(report_.samples),
                               options_.train.steps, options_.batch));
  }

  void check_memory(Decoder& decoder) {
    const std::uint64_t limit =
        options_.memory_limit != 0 ? options_.memory_limit : machine_limits().memory_bytes;
    report_.parameters = decoder.parameters().count();
    report_.memory_bytes =
        memory_need(decoder.config(), report_.parameters, options_.train, options_.data.length);
    if (options_.on_policy.share > 0)  // a copy of the student that speaks
      report_.memory_bytes += 2 * sizeof(float) * static_cast<std::uint64_t>(report_.parameters);
    if (needs_teacher())
      for (const io::TensorInfo& tensor : teacher_.checkpoint->tensors())
        report_.memory_bytes += tensor.bytes.size();
    const std::uint64_t kept = kept_need(decoder.config(), options_.data.length);
    const bool keep = report_.memory_bytes + kept <= limit / 2;  // leaves room for other programs
    if (keep) {
      decoder.keep_activations();
      report_.memory_bytes += kept;
    }
    progress_.note(
        fmt::format("needs {} of memory (limit {}) for {} parameters{}",
                    human_bytes(report_.memory_bytes), human_bytes(limit), report_.parameters,
                    keep ? "" : "; computes blocks twice, for want of memory to keep them"));
    if (report_.memory_bytes > limit)
      out_of_resources(
          "training this student needs {} of memory, the limit is {}; train less of it (--train "
          "norms or adapters), use --optimizer sign, or raise --memory-limit",
          human_bytes(report_.memory_bytes), human_bytes(limit));
  }

  bool needs_teacher() const { return options_.loss.labels < 1; }

  std::vector<int> matches(const Opened& pupil) const {
    std::vector<int> all;
    for (int layer = 0; layer < pupil.config.layers; ++layer)
      all.push_back(matching_layer(layer, pupil.config.layers, teacher_.config.layers));
    return all;
  }

  std::unique_ptr<Teacher> make_teacher(const Opened& pupil) {
    if (!needs_teacher()) return nullptr;
    if (!options_.cache.empty() && options_.best > teacher_.config.vocab)
      usage_error("--best must be at most the vocabulary's {} tokens; got {}",
                  teacher_.config.vocab, options_.best);
    const CacheRequest request{
        .path = options_.cache,
        .best = options_.best,
        .vocabulary = teacher_.config.vocab,
        .key =
            sha256_hex(io::hash_checkpoint(*teacher_.checkpoint) + report_.data_sha256 +
                       numbers({options_.loss.temperature, static_cast<double>(options_.best)}))};
    const auto run = [&] {
      if (model_ == nullptr) model_ = model::Model::load(runtime_, *teacher_.checkpoint);
      return std::make_unique<OnlineTeacher>(
          runtime_, *model_, options_.loss.temperature,
          options_.hidden > 0 ? matches(pupil) : std::vector<int>{});
    };
    if (options_.cache.empty()) return run();
    if (!has_teacher_cache(request)) {
      const auto online = run();
      make_teacher_cache(runtime_, *online, *batches_, request, progress_);
      model_.reset();
    }
    return open_teacher_cache(request);
  }

  // What the student was made from, beside it: nothing that changes between two runs.
  Json record(const Opened& pupil) const {
    return {{"schema", 1},
            {"teacher_sha256", io::hash_checkpoint(*teacher_.checkpoint)},
            {"student_sha256", io::hash_checkpoint(*pupil.checkpoint)},
            {"text_sha256", report_.data_sha256},
            {"tokens_a_step", options_.batch * options_.data.length},
            {"steps", options_.train.steps},
            {"loss", needs_teacher() ? divergence_name(options_.loss.divergence) : "labels"},
            {"labels", options_.loss.labels},
            {"temperature", options_.loss.temperature},
            {"on_policy", options_.on_policy.share},
            {"trained", part_name(options_.train.part)},
            {"tool_version", options_.tool_version}};
  }

  // All that the student's bytes depend on but the learning rate and the clipping, which somebody
  // may lower to go on from a checkpoint.
  std::string key(const Opened& pupil) const {
    const TrainOptions& t = options_.train;
    const LossOptions& l = options_.loss;
    return sha256_hex(
        io::hash_checkpoint(*teacher_.checkpoint) + io::hash_checkpoint(*pupil.checkpoint) +
        report_.data_sha256 + options_.tool_version + std::string(divergence_name(l.divergence)) +
        std::string(optimizer_name(t.optimizer.kind)) + std::string(part_name(t.part)) +
        numbers({l.mix, l.temperature, l.labels, options_.hidden, options_.on_policy.share,
                 options_.on_policy.temperature, static_cast<double>(options_.on_policy.prompt),
                 options_.cache.empty() ? 0.0 : static_cast<double>(options_.best),
                 static_cast<double>(options_.batch), static_cast<double>(t.steps),
                 static_cast<double>(t.warmup), t.last_rate, t.optimizer.beta1, t.optimizer.beta2,
                 t.optimizer.epsilon, t.optimizer.weight_decay, t.optimizer.bf16 ? 1.0 : 0.0,
                 static_cast<double>(options_.rank), static_cast<double>(t.seed)}));
  }

  Runtime& runtime_;
  const DistillOptions& options_;
  Progress& progress_;
  std::string out_, partial_;
  Opened teacher_;
  std::unique_ptr<model::Model> model_;
  std::unique_ptr<Batches> batches_;
  std::unique_ptr<StandIn> stand_in_;
  DistillReport report_;
};

}  // namespace

DistillReport distill(Runtime& runtime, const std::string& teacher, const std::string& student,
                      const std::string& out, const DistillOptions& options, Progress& progress) {
  check(options);
  return Distiller(runtime, teacher, out, options, progress).run(student);
}

}  // namespace farthing::train
