// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

// InUse returns whether id is in use. It may be any number.
func (p *Pool) InUse(id int) bool {
	i := uint(id)
	return i < uint(p.Cap()) && *p.word(i)>>(i%wordBits)&1 != 0
}
