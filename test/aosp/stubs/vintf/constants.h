// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Included by the service manager, which uses none of them.

#pragma once
