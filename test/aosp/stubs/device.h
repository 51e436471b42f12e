// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// For tests as on a device, but with Debian's gtest library.

#ifndef SENTRYBINDER_DEVICE_H_
#define SENTRYBINDER_DEVICE_H_

#include <gtest/gtest.h>

#define __ANDROID__ 1

#endif  // SENTRYBINDER_DEVICE_H_
