// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

// ReadRefs returns the number of references, or a negative number if the count is
// saturated.
func (c *Count) ReadRefs() int64 { return int64(c.n.Load()) }
