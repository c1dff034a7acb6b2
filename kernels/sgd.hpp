// SPDX-License-Identifier: Apache-2.0
// Matrix factorisation by stochastic gradient descent: one interaction after the other moves the rows that it touches.
//
// Score of user u and item i: s = mean + b_u + b_i + x_u . q_i, or, with `cosine`, the cosine of x_u and q_i. A sample
// is one interaction (u, i, r), with negatives j = 1 … N drawn for it; c = dL/ds:
//   kSquared      1/2 (s_i - r)^2, negatives with target 0
//   kLogistic     log(1 + exp s_i) - y s_i, y = (r > 0), negatives with target 0
//   kBpr          mean over j of log(1 + exp(s_j - s_i))                        Rendle et al. 2009
//   kSoftmax      log(exp(s_i / t) + sum_j exp(s_j / t) / (N Q_j)) - s_i / t    Bengio, Senecal 2008; Yi et al. 2019
//   kContrastive  1 - s_i + w mean over j of max(0, s_j - margin)               Mao et al. 2021 (SimpleX)
// t: temperature, w: negative_weight, Q_j: the probability that a draw gives j. Scores of a sample are those before it;
// then each item's row moves along -(c x_u + regularization q), and x_u along all of them together. Rows with c = 0
// rest.
//
// Optimizers, for a row's gradient g and learning rate a. Their state is a row too; zeros to begin with.
//   kSgd      x -= a g
//   kAdaGrad  G += mean g^2; x -= a g / sqrt(G + 1e-8): one G a row
//   kLibmf    x -= a g / sqrt(1 + G); G += mean g^2: one G for the first 8 factors, one for the rest (Chin et al. 2015)
//   kAdam     of Kingma, Ba 2015, with one second moment a row; rows that a sample does not touch rest ("lazy")
//
// The blocked schedule (Gemulla et al. 2011, Chin et al. 2015): users and items are dealt into bands of equal weight;
// in a round, block (a, a + shift) holds the interactions of user band a and one item band, so that blocks of a round
// share no row and run side by side. Negatives come from the block's item band. Same bits for any number of threads.
#pragma once
#include <vector>

#include "kernels/memory.hpp"

namespace kindred {

enum class SgdLoss : uint8_t { kSquared, kLogistic, kBpr, kSoftmax, kContrastive };
enum class SgdOptimizer : uint8_t { kSgd, kAdaGrad, kLibmf, kAdam };
enum class SgdSchedule : uint8_t {
  kBlocked,
  kHogwild  ///< the CPU's threads take blocks as they come and meet in rows (Recht et al. 2011): not repeatable
};

/// Whether an interaction is judged by its value alone, or against others (then user biases have no gradient).
constexpr bool is_pointwise(SgdLoss loss) { return loss == SgdLoss::kSquared || loss == SgdLoss::kLogistic; }

constexpr int kMaxNegatives = 4096;

struct SgdParams {
  SgdLoss loss = SgdLoss::kSquared;
  SgdOptimizer optimizer = SgdOptimizer::kSgd;
  bool cosine = false;  ///< scores are cosines; no mean, no biases
  float mean = 0;       ///< kSquared
  float user_regularization = 0, item_regularization = 0, bias_regularization = 0;
  int uniform = 0, popularity = 0;  ///< negatives a sample: every item alike, or by its number of interactions
  bool in_batch = false;            ///< the items of the sample's batch are negatives too
  int batch_size = 256;             ///< of in_batch: samples of a block that stand together
  float temperature = 1;            ///< kSoftmax
  float margin = 0;                 ///< kContrastive
  float negative_weight = 1;        ///< kContrastive
  float clip = 0;                   ///< |c| is at most this; 0: as it is
};

/// Interactions in the order in which they are taken, on the context's device. Built on the host.
class SgdPlan {
 public:
  SgdPlan() = default;
  /// The interactions as ResidentCsr takes and checks them; on the CPU the spans must outlive the plan. Everything is
  /// dealt and shuffled by `seed`. Cost: O(nnz); memory: 4 bytes an interaction, 4 more with values, 12 a user and
  /// band that meet.
  SgdPlan(Context& ctx, std::span<const int64_t> offsets, std::span<const int32_t> indices,
          std::span<const float> values, int64_t cols, SgdSchedule schedule, uint64_t seed);

  int64_t users() const { return rows_.view().rows; }
  int64_t items() const { return rows_.view().cols; }
  int64_t samples() const { return rows_.view().nnz; }
  int64_t bands() const { return bands_; }
  SgdSchedule schedule() const { return schedule_; }

  /// Bands of a shape: 16 or 32 on the CPU, up to 1,024 on CUDA; fewer where a side has few rows.
  static int64_t bands_for(const Context& ctx, int64_t users, int64_t items, int64_t samples);
  static int64_t bytes(const Context& ctx, int64_t users, int64_t items, int64_t samples, bool values);

  struct View;  // kernels/detail/sgd.hpp
  View view() const;

 private:
  template <class T>
  struct Kept {  // on the CPU the vector itself is used
    std::vector<T> host;
    Resident<T> device;
  };
  template <class T>
  void keep(Context& ctx, std::vector<T> host, Kept<T>& to);

  ResidentCsr rows_;
  int64_t bands_ = 0;
  SgdSchedule schedule_ = SgdSchedule::kBlocked;
  Kept<int64_t> block_runs_, run_begin_, band_begin_;
  Kept<int32_t> run_user_, item_, band_items_, alias_;
  Kept<uint32_t> alias_share_;
  Kept<float> value_, share_;
};

/// One side's rows. state: rows x sgd_state_width(optimizer, factors). Without biases the last two are empty, else n
/// and n x sgd_state_width(optimizer, 1).
struct SgdTable {
  MatrixView<float> factors, state;
  VectorView<float> bias;
  MatrixView<float> bias_state;
};
int64_t sgd_state_width(SgdOptimizer optimizer, int64_t factors);

/// For users that are more than their own row (SVD++): x_u = factors_u + base_u; gradient_u += the gradient in x_u.
struct SgdHistory {
  MatrixView<const float> base;
  MatrixView<float> gradient;
};

/// Which part of which epoch, and how far.
struct SgdStep {
  float rate = 0.01f;
  uint64_t seed = 0;    ///< of the draws
  int64_t epoch = 0;    ///< each has draws and an order of rounds of its own
  int64_t round = 0;    ///< the first
  int64_t rounds = -1;  ///< -1: all that are left; an epoch has plan.bands()
};

/// What passed by.
struct SgdTally {
  double loss = 0;  ///< sum over samples, each before its step, without regularization
  int64_t samples = 0;
  int64_t draws = 0;    ///< negatives asked for
  int64_t skipped = 0;  ///< of them, not found: 8 draws in a row gave items that the user has
};

/// Takes the samples of some rounds. Waits, because it returns a value. InvalidArgument: shapes, ranges; biases with
/// `cosine`; user biases with a loss that is not pointwise; kSoftmax and kBpr without negatives.
/// Cost: 6 d FLOP and 16 d bytes a sample of a pointwise loss, and 4 d FLOP and 4 d bytes more a negative.
SgdTally sgd_rounds(Context& ctx, const SgdPlan& plan, const SgdTable& users, const SgdTable& items,
                    const SgdParams& params, const SgdStep& step, const SgdHistory& history = {});

}  // namespace kindred
