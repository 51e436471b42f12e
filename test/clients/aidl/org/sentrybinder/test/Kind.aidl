// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

@Backing(type="int")
enum Kind {
    PLAIN = 1,
    FANCY = 7,
}
