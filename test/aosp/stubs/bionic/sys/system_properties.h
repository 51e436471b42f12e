// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// bionic's properties, as liblog asks for them: there are none.

#pragma once

#define PROP_VALUE_MAX 92

static inline int __system_property_get(const char*, char* value) {
    *value = '\0';
    return 0;
}
