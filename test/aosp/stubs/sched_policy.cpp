// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// A stub for libprocessgroup: threads stay as they are, as there is no profile.

#include <processgroup/sched_policy.h>

int set_sched_policy(int, SchedPolicy) {
    return 0;
}
