// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// bionic has this here, too, and more.

#pragma once

#include <limits.h>

#define GID_MAX UINT_MAX
#define UID_MAX UINT_MAX
