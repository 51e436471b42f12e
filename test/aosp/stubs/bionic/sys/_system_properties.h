// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sys/system_properties.h>
