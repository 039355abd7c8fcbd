// What a search found, as text and as JSON (docs/tune.md).
#pragma once

#include <string>
#include <vector>

#include "tune/search.h"

namespace farthing::tune {

std::string outcome_text(const Outcome& outcome);
Json outcome_json(const Outcome& outcome);
Json floors_json(const TuneOptions& options);
Json workload_json(const Workload& workload);

// A line a conversion, the least sensitive first; only `lines` of them, spread, and those measured.
std::string walk_text(const Space& space, const std::vector<WalkStep>& steps, int lines);
Json walk_json(const Space& space, const std::vector<WalkStep>& steps);

// How many units of each kind have which alternative.
std::string mix_text(const Space& space, const Mix& mix);
// A row a unit, with what the search knows of it.
Json mix_json(const Study& study, const UnitTimes& times, const Mix& mix);

std::string frontier_text(const std::vector<std::pair<Mix, Outcome>>& points);
Json frontier_json(const Space& space, const std::vector<std::pair<Mix, Outcome>>& points);

Json candidate_json(const Candidate& candidate);

// Every alternative everywhere, as far as it is offered: what a mix is to be compared with.
std::vector<std::pair<std::string, Outcome>> uniform_outcomes(const Search& search,
                                                              const Space& space);
Json uniform_json(const std::vector<std::pair<std::string, Outcome>>& rows);

}  // namespace farthing::tune
