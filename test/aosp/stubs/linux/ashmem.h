// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// The ioctls of /dev/ashmem, which Linux's headers never had.

#pragma once

#include <linux/ioctl.h>
#include <stddef.h>
#include <stdint.h>

#define ASHMEM_NAME_LEN 256

struct ashmem_pin {
    uint32_t offset;
    uint32_t len;
};

#define ASHMEM_SET_NAME _IOW('w', 1, char[ASHMEM_NAME_LEN])
#define ASHMEM_SET_SIZE _IOW('w', 3, size_t)
#define ASHMEM_GET_SIZE _IO('w', 4)
#define ASHMEM_SET_PROT_MASK _IOW('w', 5, unsigned long)
#define ASHMEM_GET_PROT_MASK _IO('w', 6)
#define ASHMEM_PIN _IOW('w', 7, struct ashmem_pin)
#define ASHMEM_UNPIN _IOW('w', 8, struct ashmem_pin)
