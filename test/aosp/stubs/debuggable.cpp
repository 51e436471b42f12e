// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Makes tests for Android's debuggable builds run.

#include <android-base/properties.h>

namespace {

const bool set = [] {
    using android::base::SetProperty;
    return SetProperty("ro.debuggable", "1") && SetProperty("ro.build.type", "userdebug");
}();

}  // namespace
