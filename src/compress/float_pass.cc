#include "compress/float_pass.h"

namespace farthing::compress {

calibrate::SampleRows rows_of(const calibrate::CalibrationData& data) {
  calibrate::SampleRows rows;
  for (const calibrate::Sample& sample : data.samples)
    rows.lengths.push_back(std::ssize(sample.tokens));
  return rows;
}

std::vector<cache::Token> tokens_of(const calibrate::CalibrationData& data) {
  std::vector<cache::Token> tokens;
  for (const calibrate::Sample& sample : data.samples)
    tokens.insert(tokens.end(), sample.tokens.begin(), sample.tokens.end());
  return tokens;
}

FloatPass::FloatPass(const Survey& survey)
    : samples_(rows_of(survey.data)),
      model_(model::Model::load(survey.runtime, survey.map.checkpoint(), {}, true)),
      states_(samples_.tokens(), survey.map.config().hidden),
      runner_(survey.runtime, samples_, kernels::parse_kv_type(survey.kv)) {
  runner_.embed(*model_, tokens_of(survey.data), states_);
}

FloatPass::~FloatPass() = default;

calibrate::Collected FloatPass::collect(int layer, const calibrate::Wanted& wanted) {
  return runner_.collect(*model_, layer, states_, wanted);
}

void FloatPass::advance(int layer, model::Tap* tap) {
  runner_.advance(*model_, layer, states_, tap);
}

}  // namespace farthing::compress
