// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Of liblog: the log of security events is for devices that have an owner, which
// a property tells.

#include <private/android_logger.h>

int __android_log_security() {
    return 0;
}
