// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package example;

interface IGreeter {
    String greet(String name);
}
