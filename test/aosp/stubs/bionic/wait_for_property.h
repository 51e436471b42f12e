// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// libbase's WaitForProperty, which needs bionic: there is nothing to wait for, as no
// process sees another's properties.

#pragma once

#include <chrono>
#include <string>

namespace android::base {

static inline bool WaitForProperty(const std::string&, const std::string&, std::chrono::milliseconds) {
    return true;
}

}  // namespace android::base
