// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// For tests as they are on a device; but gtest's library is that of Debian.

#ifndef SENTRYBINDER_DEVICE_H_
#define SENTRYBINDER_DEVICE_H_

#include <gtest/gtest.h>

#define __ANDROID__ 1

#endif  // SENTRYBINDER_DEVICE_H_
