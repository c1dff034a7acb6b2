// SPDX-License-Identifier: Apache-2.0
// What kindred-evaluate judges: a model, or the lists that any tool wrote, against parts that lie in files.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "engine/evaluate/evaluate.hpp"

namespace kindred {

struct TrialFiles {
  std::filesystem::path test;       ///< "": the part that the model keeps of its own training run
  std::filesystem::path train;      ///< what users have seen; "": the model's history, or for lists nothing
  std::filesystem::path negatives;  ///< "": none
  std::filesystem::path items;      ///< a catalogue with tags; "": the model's
  std::string format = "csv";       ///< of test, train and negatives
  InteractionColumns list_columns;  ///< of lists; value: the score, time: the rank
};

struct Contender {
  std::filesystem::path path;
  std::shared_ptr<const Ids> users;
  Evaluation evaluation;
};

/// A run folder or an HDF5 file is a model, anything else a list: columns user, item and score, or rank alone (1 is the
/// best), in any order of rows. Where `options.metrics` is empty: the model's defaults. Users of the test part without
/// a list count as found nothing; those that a model does not know are left out, both are counted in the log. Throws
/// InputError for wrong files and for metrics that make no sense for it.
Contender judge(Context& ctx, const std::filesystem::path& path, const TrialFiles& files, EvaluateOptions options);

}  // namespace kindred
