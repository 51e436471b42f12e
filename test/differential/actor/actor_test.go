// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// New threads get the places of those that are gone, lowest first, in whatever order
// these were freed.
func TestPlaces(t *testing.T) {
	m := &Machine{free: []uintptr{1, 2, 3, 4}}
	assert.Equal(t, []uintptr{1, 2}, []uintptr{m.takePlace(), m.takePlace()})
	m.free = append(m.free, 2, 1)
	assert.Equal(t, []uintptr{1, 2, 3, 4}, []uintptr{m.takePlace(), m.takePlace(), m.takePlace(), m.takePlace()})
	assert.Panics(t, func() { m.takePlace() })
}
