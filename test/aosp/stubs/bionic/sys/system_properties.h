// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// bionic's properties, as liblog asks for them: there are none.

#pragma once

#include <stdint.h>

#define PROP_NAME_MAX 32
#define PROP_VALUE_MAX 92

typedef struct prop_info prop_info;

static inline int __system_property_get(const char*, char* value) {
    *value = '\0';
    return 0;
}

static inline const prop_info* __system_property_find(const char*) {
    return nullptr;
}

static inline int __system_property_read(const prop_info*, char*, char*) {
    return 0;
}

static inline uint32_t __system_property_serial(const prop_info*) {
    return 0;
}

static inline uint32_t __system_property_area_serial() {
    return 0;
}
