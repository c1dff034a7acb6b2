// SPDX-License-Identifier: Apache-2.0
// The first signal waits for a safe point, the second one does not.
#include "engine/core/interrupt.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "engine/core/error.hpp"

namespace kindred {
namespace {

/// 10 + the signal that a safe point reports, 1 where it reports none.
int exit_code_at_safe_point() {
  try {
    check_interrupt();
  } catch (const Interrupted& error) {
    return 10 + error.signal;
  }
  return 1;
}

TEST(Interrupt, NothingHappensWithoutASignal) {
  EXPECT_EQ(signal_received(), 0);
  EXPECT_NO_THROW(check_interrupt());
}

TEST(Interrupt, SimulatedSignalsComeAndGo) {
  simulate_signal(SIGTERM);
  EXPECT_EQ(signal_received(), SIGTERM);
  EXPECT_THROW(check_interrupt(), Interrupted);
  simulate_signal(0);
  EXPECT_NO_THROW(check_interrupt());
}

TEST(InterruptDeathTest, ASignalIsReportedAtTheNextSafePoint) {
  for (const int signal : {SIGINT, SIGTERM})
    EXPECT_EXIT(
        {
          catch_signals();
          raise(signal);
          _exit(exit_code_at_safe_point());
        },
        ::testing::ExitedWithCode(10 + signal), "");
}

TEST(InterruptDeathTest, TheSecondSignalEndsAtOnce) {
  EXPECT_EXIT(
      {
        catch_signals();
        raise(SIGINT);
        raise(SIGTERM);
        _exit(0);
      },
      ::testing::KilledBySignal(SIGTERM), "");
}

TEST(InterruptDeathTest, AClosedPipeIsAnErrorOfTheWrite) {
  EXPECT_EXIT(
      {
        catch_signals();
        int ends[2];
        if (pipe(ends) != 0) _exit(1);
        close(ends[0]);
        _exit(write(ends[1], "x", 1) < 0 && errno == EPIPE ? 7 : 2);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace kindred
