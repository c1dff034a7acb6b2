// SPDX-License-Identifier: Apache-2.0
// Model files: what is written comes back, in whole or in parts; equal models have equal hashes; a failed write leaves
// the old file; wrong content is named.
#include "engine/store/model_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <limits>
#include <thread>

#include "engine/core/error.hpp"
#include "engine/core/file.hpp"
#include "engine/hdf5/hdf5.hpp"
#include "tests/engine/store/random_model.hpp"
#include "tests/engine/support.hpp"

namespace kindred {
namespace {

using test::expect_equal;
using test::random_model;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A model with every part.
FittedModel full_model(uint64_t seed = 1) {
  test::Rng rng(seed);
  FittedModel model;
  model.name = "full";
  model.model = "als";
  model.created = "2026-11-24T09:00:00Z";
  model.users = test::random_ids(rng, 30, true);
  model.items = test::random_ids(rng, 20, false);
  model.scorer = Factors{test::random_table(rng, 30, 8), test::random_table(rng, 20, 8), test::random_floats(rng, 30),
                         test::random_floats(rng, 20)};
  model.fold_in = AlsFoldIn{};
  model.item_count.assign(20, 7);
  model.item_mean = test::random_floats(rng, 20);
  model.history = test::random_csr(rng, 30, 20, true);
  model.held_out_validation = test::random_csr(rng, 30, 20, true);
  model.held_out_test = test::random_csr(rng, 30, 20, false);
  model.catalogue.titles.assign(20, "A title");
  model.catalogue.tags = test::random_csr(rng, 20, 3, false);
  model.catalogue.tag_names = {"a", "b", "c"};
  model.config_toml = "name = 'full'";
  model.metrics_json = "{}";
  return model;
}

template <class Error, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no such error was thrown";
  return "";
}

TEST(ModelFile, RandomModelsComeBack) {
  const TemporaryFolder folder;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const FittedModel model = random_model(seed);
    const std::string hash = save_model(model, folder / "model.h5");
    const FittedModel back = load_model(folder / "model.h5");
    expect_equal(model, back);
    EXPECT_EQ(back.content_hash, hash);
    EXPECT_EQ(hash.size(), 16u);
    if (HasFatalFailure()) return;
  }
}

TEST(ModelFile, TablesOfSeveralChunksComeBack) {
  const TemporaryFolder folder;
  test::Rng rng(5);
  FittedModel model = full_model();
  const int64_t users = 9001;  // x 96 floats: 2,730 rows a chunk, the last chunk partly filled
  model.users = test::random_ids(rng, users, false);
  model.scorer = Factors{test::random_table(rng, users, 96), test::random_table(rng, 20, 96), {}, {}};
  model.history = test::random_csr(rng, users, 20, true);
  model.held_out_validation = model.held_out_test = {};
  save_model(model, folder / "model.h5");
  expect_equal(model, load_model(folder / "model.h5"));

  const auto& table = std::get<Factors>(model.scorer).users;
  for (const auto& [begin, count] :
       {std::pair<int64_t, int64_t>{0, 1}, {2729, 2}, {5000, 4001}, {9001, 0}, {0, 9001}}) {
    const HostMatrix part = load_rows(folder / "model.h5", "/users/factors", begin, count);
    ASSERT_EQ(part.rows, count);
    ASSERT_EQ(part.cols, 96);
    EXPECT_TRUE(std::equal(part.data.begin(), part.data.end(), table.data.begin() + begin * 96));
  }
  EXPECT_EQ(message_of<InputError>([&] { load_rows(folder / "model.h5", "/users/factors", 9000, 2); }),
            (folder / "model.h5").string() + ": /users/factors: rows 9000 to 9002 asked for; it has 9001");
  EXPECT_THAT(message_of<InputError>([&] { load_rows(folder / "model.h5", "/users/ids", 0, 1); }),
              EndsWith("/users/ids: not a table of float32"));
  EXPECT_THAT(message_of<InputError>([&] { load_rows(folder / "model.h5", "/nowhere", 0, 1); }),
              EndsWith("/nowhere: missing"));
}

TEST(ModelFile, PartsAreLeftOut) {
  const TemporaryFolder folder;
  const FittedModel model = full_model();
  save_model(model, folder / "model.h5");
  const FittedModel part = load_model(folder / "model.h5", {.users = false, .history = false, .catalogue = false});
  const auto& factors = std::get<Factors>(part.scorer);
  EXPECT_EQ(factors.users.rows, 0);
  EXPECT_TRUE(factors.user_bias.empty());
  expect_equal(factors.items, std::get<Factors>(model.scorer).items);
  EXPECT_EQ(part.history.rows(), 0);
  EXPECT_EQ(part.held_out_test.rows(), 0);
  EXPECT_TRUE(part.catalogue.titles.empty());
  EXPECT_EQ(*part.users, *model.users);
  EXPECT_EQ(part.item_count, model.item_count);
}

TEST(ModelFile, HistoryIsKeptAsAsked) {
  const TemporaryFolder folder;
  const FittedModel model = full_model();
  save_model(model, folder / "items.h5", KeepHistory::kItems);
  const FittedModel items = load_model(folder / "items.h5");
  EXPECT_EQ(items.history.indices, model.history.indices);
  EXPECT_TRUE(items.history.values.empty());
  EXPECT_EQ(items.held_out_validation.indices, model.held_out_validation.indices);
  save_model(model, folder / "none.h5", KeepHistory::kNone);
  const FittedModel none = load_model(folder / "none.h5");
  EXPECT_EQ(none.history.rows(), 0);
  EXPECT_EQ(none.held_out_validation.rows(), 0);
  EXPECT_EQ(none.held_out_test.rows(), 0);
}

TEST(ModelFile, ARunFolderStandsForItsModel) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      message_of<InputError>([&] { load_model(folder.path()); }),
      folder.path().string() + ": a folder without model.h5; expected a model file or the folder of a finished run");
  save_model(full_model(), folder / "model.h5");
  expect_equal(full_model(), load_model(folder.path()));
}

TEST(ModelFile, LongTitlesAreCutBetweenCharacters) {
  const TemporaryFolder folder;
  FittedModel model = full_model();
  model.catalogue.titles[3] = std::string(1023, 'x') + "é";
  model.catalogue.titles[4] = std::string(1022, 'x') + "é";
  save_model(model, folder / "model.h5");
  const FittedModel back = load_model(folder / "model.h5");
  EXPECT_EQ(back.catalogue.titles[3], std::string(1023, 'x'));
  EXPECT_EQ(back.catalogue.titles[4], model.catalogue.titles[4]);
}

TEST(ModelFile, EqualModelsHaveEqualHashes) {
  const TemporaryFolder folder;
  const auto hash = [&](const FittedModel& model) { return save_model(model, folder / "model.h5"); };
  const FittedModel model = full_model();
  const std::string expected = hash(model);
  EXPECT_EQ(expected, hash(model));
  FittedModel other = model;
  other.name = "another name";
  other.created = "2027-01-01T00:00:00Z";
  other.config_toml += " # another";
  other.metrics_json = "[]";
  EXPECT_EQ(expected, hash(other)) << "names, times and /meta do not count";

  std::vector<std::function<void(FittedModel&)>> changes = {
      [](FittedModel& m) { std::get<Factors>(m.scorer).users.data[17] += 1e-3f; },
      [](FittedModel& m) { std::get<Factors>(m.scorer).item_bias.clear(); },
      [](FittedModel& m) { m.history.values[0] += 1; },
      [](FittedModel& m) { m.global_mean = 1; },
      [](FittedModel& m) { m.metric = Metric::kCosine; },
      [](FittedModel& m) { m.predicts_values = true; },
      [](FittedModel& m) { m.catalogue.titles[0] = "B title"; },
      [](FittedModel& m) { m.item_count[0] = 8; },
      [](FittedModel& m) { std::get<AlsFoldIn>(m.fold_in).alpha = 2; },
      [](FittedModel& m) { std::swap(m.held_out_test, m.held_out_validation); },
  };
  std::vector<std::string> hashes = {expected};
  for (const auto& change : changes) {
    FittedModel changed = model;
    change(changed);
    hashes.push_back(hash(changed));
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

TEST(ModelFile, NeighborsAreCheckedWhenRead) {
  const TemporaryFolder folder;
  test::Rng rng(8);
  FittedModel model = full_model();
  const int64_t n = model.num_items();
  Neighbors good;
  good.weights.cols = n;
  good.weights.offsets.assign(static_cast<size_t>(n) + 1, 3);
  good.weights.offsets[0] = 0;
  good.weights.indices = {2, 4, 1};
  good.weights.values = {3, 2, 2};
  const auto problem = [&](const std::function<void(Neighbors&)>& change) {
    Neighbors changed = good;
    change(changed);
    model.scorer = changed;
    model.fold_in = HistoryFoldIn{};
    save_model(model, folder / "m.h5");
    std::string message = message_of<InputError>([&] { load_model(folder / "m.h5"); });
    return message.substr(message.find("m.h5: ") + 6);
  };
  EXPECT_EQ(problem([](auto& b) { b.weights.indices[1] = -1; }),
            "/items/neighbors/indices: row 0 holds -1; expected other rows, from 0 to " + std::to_string(n - 1));
  EXPECT_EQ(problem([&](auto& b) { b.weights.indices[2] = static_cast<int32_t>(n); }),
            fmt::format("/items/neighbors/indices: row 0 holds {}; expected other rows, from 0 to {}", n, n - 1));
  EXPECT_EQ(problem([](auto& b) { b.weights.indices[0] = 0; }),
            "/items/neighbors/indices: row 0 holds 0; expected other rows, from 0 to " + std::to_string(n - 1));
  EXPECT_EQ(problem([](auto& b) { b.weights.indices[2] = 2; }),
            "/items/neighbors/indices: row 0 holds 2 twice; expected each neighbor once");
  EXPECT_EQ(problem([](auto& b) { b.weights.values[2] = 2.5f; }),
            "/items/neighbors/data: the weights of row 0 do not descend");
  EXPECT_EQ(problem([](auto& b) {
              b.similarity = {1, 2};
            }),
            "/items/neighbors/similarity: it is <f4 of 2; expected <f4 of 3");
  EXPECT_EQ(problem([](auto& b) {
              b.center = {1, 2};
            }),
            fmt::format("/items/center: it is <f4 of 2; expected <f4 of {}", n));
  EXPECT_EQ(problem([](auto& b) { b.used = -1; }),
            "/items/neighbors: neighbors_used is -1; expected 0 to 2,147,483,647");
  EXPECT_THAT(problem([](auto& b) { b.of = NeighborsOf::kUsers; }),
              testing::StartsWith("/users/neighbors: its shape is"));
}

TEST(ModelFile, WhatCannotBeReadIsNotWritten) {
  const TemporaryFolder folder;
  FittedModel model = full_model();
  std::get<Factors>(model.scorer).items.data[8 * 5 + 2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message_of<NumericError>([&] { save_model(model, folder / "model.h5"); }),
            "/items/factors: row 5 holds nan; the model was not written");
  model = full_model();
  model.catalogue.titles[2] = std::string("zero\0", 5);
  EXPECT_EQ(message_of<InputError>([&] { save_model(model, folder / "model.h5"); }),
            "/items/title: 'zero\\x00' ends in a zero byte, which an HDF5 file cannot hold");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ModelFile, CheckpointsComeBackBitByBit) {
  const TemporaryFolder folder;
  test::Rng rng(3);
  Checkpoint checkpoint{.epoch = 12, .text = R"({"seed":42})", .tables = {}};
  checkpoint.tables.emplace_back("users", test::random_table(rng, 70, 33));
  checkpoint.tables.emplace_back("with / and é", test::random_table(rng, 1, 1));
  checkpoint.tables.emplace_back("empty", HostMatrix(0, 5));
  checkpoint.tables[0].second.data[3] = -std::numeric_limits<float>::infinity();
  save_checkpoint(checkpoint, folder / "checkpoint.h5");
  const Checkpoint back = load_checkpoint(folder / "checkpoint.h5");
  EXPECT_EQ(back.epoch, 12);
  EXPECT_EQ(back.text, checkpoint.text);
  ASSERT_EQ(back.tables.size(), 3u);
  for (size_t t = 0; t < 3; ++t) {
    EXPECT_EQ(back.tables[t].first, checkpoint.tables[t].first);
    expect_equal(back.tables[t].second, checkpoint.tables[t].second);
  }
  EXPECT_THAT(message_of<InputError>([&] { load_model(folder / "checkpoint.h5"); }),
              EndsWith("its format is 'kindred-checkpoint'; expected 'kindred'"));
  save_model(full_model(), folder / "model.h5");
  EXPECT_THAT(message_of<InputError>([&] { load_checkpoint(folder / "model.h5"); }),
              EndsWith("its format is 'kindred'; expected 'kindred-checkpoint'"));
}

TEST(ModelFile, ThreadsShareTheLibrary) {
  const TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&folder, t] {
      const auto path = folder / (std::to_string(t) + ".h5");
      for (uint64_t seed = 0; seed < 10; ++seed) {
        const FittedModel model = random_model(100 * t + seed);
        save_model(model, path);
        expect_equal(model, load_model(path));
      }
    });
  for (std::thread& thread : threads) thread.join();
}

/// Makes the n-th call of a kind fail.
class FailCall {
 public:
  FailCall(std::string call, int nth, int error) {
    faults().before = [call = std::move(call), nth, error](std::string_view made,
                                                           const std::filesystem::path&) mutable {
      return made == call && --nth == 0 ? error : 0;
    };
  }
  ~FailCall() { faults().before = nullptr; }
};

TEST(ModelFile, AFailedWriteLeavesTheOldFile) {
  const TemporaryFolder folder;
  const auto path = folder / "model.h5";
  const FittedModel old = full_model(1), model = full_model(2);
  save_model(old, path);
  for (const auto& [call, error] : {std::pair<std::string, int>{"open", EACCES},
                                    {"write", ENOSPC},
                                    {"write", EIO},
                                    {"sync", EIO},
                                    {"rename", EACCES}}) {
    for (int nth : {1, 2, 5, 20}) {
      if (nth > 1 && call != "write") continue;
      SCOPED_TRACE(call + " " + std::to_string(nth));
      const FailCall fail(call, nth, error);
      const std::string message = message_of<IoError>([&] { save_model(model, path); });
      EXPECT_THAT(message, StartsWith(path.string() + ": "));
      const std::string wanted = call != "write"   ? "cannot "
                                 : error == ENOSPC ? "disk full after"
                                                   : "cannot write: Input/output error";
      EXPECT_THAT(message, HasSubstr(wanted));
    }
  }
  expect_equal(old, load_model(path));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "nothing else is left";
  save_model(model, path);
  expect_equal(model, load_model(path));
}

TEST(ModelFile, AFileSystemThatIsFullLeavesTheOldFile) {
  const TemporaryFolder folder;
  const auto path = folder / "model.h5";
  const FittedModel old = full_model(1);
  save_model(old, path);
  test::Rng rng(1);
  FittedModel large = full_model(2);
  large.users = test::random_ids(rng, 20'000, true);
  large.scorer = Factors{test::random_table(rng, 20'000, 64), test::random_table(rng, 20, 64), {}, {}};
  large.history = large.held_out_test = large.held_out_validation = {};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t limit : {1'000, 500'000, 3'000'000}) {
    const rlimit small{limit, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const std::string message = message_of<IoError>([&] { save_model(large, path); });
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(message, path.string() + ": cannot write: File too large; nothing was changed");
  }
  std::signal(SIGXFSZ, handler);
  expect_equal(old, load_model(path));
  save_model(large, path);
  expect_equal(large, load_model(path));
}

TEST(ModelFile, FoldersThatCannotBeWrittenToAreNamed) {
  EXPECT_THAT(message_of<IoError>([] { save_model(full_model(), "/nowhere/model.h5"); }),
              StartsWith("/nowhere/model.h5: cannot create: No such file or directory"));
}

TEST(ModelFile, WhatIsNoModelFileIsNamed) {
  const TemporaryFolder folder;
  const auto file = [&](const std::string& content) {
    std::ofstream(folder / "x.h5", std::ios::binary) << content;
    return message_of<InputError>([&] { load_model(folder / "x.h5"); });
  };
  EXPECT_THAT(message_of<InputError>([&] { load_model(folder / "absent.h5"); }),
              EndsWith("absent.h5: cannot read: No such file or directory"));
  EXPECT_THAT(message_of<InputError>([] { load_model("/dev/null"); }), EndsWith("/dev/null: not a file"));
  EXPECT_THAT(file(""), EndsWith("x.h5: not an HDF5 file; expected a model file"));
  EXPECT_THAT(file("user,item\n1,2\n"), EndsWith("x.h5: not an HDF5 file; expected a model file"));
  EXPECT_THAT(file("\x89HDF\r\n\x1a\n\x03"), EndsWith("x.h5: truncated: the file ends within its first 48 bytes"));
  EXPECT_THAT(file("\x89HDF\r\n\x1a\n" + std::string(100, '\0')),
              EndsWith("x.h5: superblock version 0; expected 3, as HDF5 1.10 and later write it"));
  save_model(full_model(), folder / "model.h5");
  const std::string whole = read_file(folder / "model.h5");
  EXPECT_THAT(file(whole + "more"), EndsWith("4 bytes follow the end of the HDF5 file; copy or export it again"));
  EXPECT_THAT(file(whole.substr(0, whole.size() - 1)), HasSubstr("truncated: "));
}

/// A model file by hand, of one user and two items, with one thing changed.
class ByHand {
 public:
  std::string version = "1";
  std::function<void(hdf5::Writer&)> history = [](hdf5::Writer& w) { csr(w, {0, 2}, {0, 1}, {1, 2}, {1, 2}); };
  std::vector<float> bias = {1, 2};
  std::vector<int64_t> item_ids = {5, 9};
  std::string scorer = "constant", link = "identity";
  int64_t format_version = 1;

  static void csr(hdf5::Writer& w, const std::vector<int64_t>& indptr, const std::vector<int32_t>& indices,
                  const std::vector<float>& data, const std::vector<int64_t>& shape) {
    w.group("/history");
    w.attribute("/history", "encoding-type", std::string("csr_matrix"));
    w.attribute("/history", "encoding-version", std::string("0.1.0"));
    w.attribute("/history", "shape", shape);
    w.dataset("/history/indptr", hdf5::int64s({static_cast<int64_t>(indptr.size())}), std::as_bytes(std::span(indptr)));
    w.dataset("/history/indices", hdf5::int32s({static_cast<int64_t>(indices.size())}),
              std::as_bytes(std::span(indices)));
    w.dataset("/history/data", hdf5::floats({static_cast<int64_t>(data.size())}), std::as_bytes(std::span(data)));
  }

  std::string error() const {
    const TemporaryFolder folder;
    hdf5::Writer w(folder / "m.h5");
    for (const auto& [name, text] : std::map<std::string, std::string>{{"format", "kindred"},
                                                                       {"name", "x"},
                                                                       {"model", "popularity"},
                                                                       {"scorer", scorer},
                                                                       {"metric", "inner_product"},
                                                                       {"link", link},
                                                                       {"kindred_version", "9.8"},
                                                                       {"created", "now"}})
      w.attribute("/", name, text, name != "name" && name != "created" && name != "kindred_version");
    w.attribute("/", "format_version", format_version);
    w.attribute("/", "global_mean", 0.f);
    for (const auto& [name, value] :
         std::map<std::string, int64_t>{{"predicts_values", 0}, {"users", 1}, {"items", 2}, {"dimension", 0}})
      w.attribute("/", name, value);
    w.group("/users");
    const std::vector<int64_t> users = {7};
    w.dataset("/users/ids", hdf5::int64s({1}), std::as_bytes(std::span(users)));
    w.group("/items");
    w.dataset("/items/ids", hdf5::int64s({static_cast<int64_t>(item_ids.size())}), std::as_bytes(std::span(item_ids)));
    w.dataset("/items/bias", hdf5::floats({static_cast<int64_t>(bias.size())}), std::as_bytes(std::span(bias)));
    history(w);
    w.group("/meta");
    w.text("/meta/config", "", false);
    w.text("/meta/metrics", "", false);
    w.commit();
    try {
      load_model(folder / "m.h5");
      return "";
    } catch (const InputError& error) {
      return std::string(error.what()).substr((folder / "m.h5: ").string().size());
    }
  }
};

TEST(ModelFile, WrongContentIsNamed) {
  EXPECT_EQ(ByHand().error(), "");
  const auto changed = [](auto change) {
    ByHand file;
    change(file);
    return file.error();
  };
  const auto history = [&](std::vector<int64_t> indptr, std::vector<int32_t> indices, std::vector<float> data,
                           std::vector<int64_t> shape) {
    return changed(
        [&](ByHand& f) { f.history = [&](hdf5::Writer& w) { ByHand::csr(w, indptr, indices, data, shape); }; });
  };
  EXPECT_EQ(changed([](ByHand& f) { f.format_version = 2; }),
            "format version 2, written by Kindred 9.8; this program reads up to version 1: use a newer Kindred");
  EXPECT_EQ(changed([](ByHand& f) { f.scorer = "towers"; }),
            "/: scorer is 'towers'; expected one of 'constant', 'factors', 'neighbors'");
  EXPECT_EQ(changed([](ByHand& f) { f.scorer = "factors"; }), "/items/factors: missing");
  EXPECT_EQ(changed([](ByHand& f) { f.link = "tanh\n"; }),
            "/: link is 'tanh\\n'; expected one of 'identity', 'sigmoid', 'relu'");
  EXPECT_EQ(changed([](ByHand& f) { f.bias = {1, 2, 3}; }), "/items/bias: it is <f4 of 3; expected <f4 of 2");
  EXPECT_EQ(changed([](ByHand& f) {
              f.bias = {1, std::numeric_limits<float>::infinity()};
            }),
            "/items/bias: row 1 holds inf; expected finite values");
  EXPECT_EQ(changed([](ByHand& f) { f.item_ids = {9, 5}; }), "/items/ids: ids: 5 does not ascend at row 1");
  EXPECT_EQ(changed([](ByHand& f) { f.item_ids = {5}; }), "/items/ids: it is <i8 of 1; expected <i8 of 2");
  EXPECT_EQ(history({0, 2}, {0, 1}, {1, 2}, {2, 2}), "/history: its shape is 2 x 2; expected 1 x 2");
  EXPECT_EQ(history({0, 2}, {0, 2}, {1, 2}, {1, 2}),
            "/history/indices: row 0 holds 2 after 0; expected ascending indices below 2");
  EXPECT_EQ(history({0, 2}, {1, 0}, {1, 2}, {1, 2}),
            "/history/indices: row 0 holds 0 after 1; expected ascending indices below 2");
  EXPECT_EQ(history({0, 2}, {-1, 1}, {1, 2}, {1, 2}),
            "/history/indices: row 0 holds -1 after -1; expected ascending indices below 2");
  EXPECT_EQ(history({0, 3}, {0, 1}, {1, 2}, {1, 2}),
            "/history/indptr: it does not ascend from 0 to 2, the number of indices");
  EXPECT_EQ(history({1, 2}, {0, 1}, {1, 2}, {1, 2}),
            "/history/indptr: it does not ascend from 0 to 2, the number of indices");
  EXPECT_EQ(history({0, 1, 2}, {0, 1}, {1, 2}, {1, 2}), "/history/indptr: it is <i8 of 3; expected <i8 of 2");
  EXPECT_EQ(history({0, 2}, {0, 1}, {1}, {1, 2}), "/history/data: it is <f4 of 1; expected <f4 of 2");
  EXPECT_EQ(history({0, 2}, {0, 1}, {1, std::numeric_limits<float>::quiet_NaN()}, {1, 2}),
            "/history/data: row 1 holds nan; expected finite values");
}

TEST(ModelFile, WhatIsUnknownIsLeftAlone) {
  ByHand file;
  file.history = [](hdf5::Writer& w) {
    ByHand::csr(w, {0, 2}, {0, 1}, {1, 2}, {1, 2});
    w.group("/later");
    w.text("/later/text", "of another version");
    w.attribute("/history", "more", std::string("of another version"));
  };
  EXPECT_EQ(file.error(), "");
}

}  // namespace
}  // namespace kindred
