// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// bionic keeps the message for a debugger.

#pragma once

static inline void android_set_abort_message(const char*) {}
