// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Sets up the cgroups of /etc/cgroups.json, like init. Must be the first process of its
// PID namespace.

#include <processgroup/setup.h>

int main() {
    return CgroupSetup() ? 0 : 1;
}
