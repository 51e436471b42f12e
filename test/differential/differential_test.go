// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each fault can still be planted, and only in one place.
func TestFaultsFit(t *testing.T) {
	for _, f := range faults {
		source, err := os.ReadFile(filepath.Join("../..", driverDir, f.file))
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(string(source), f.old), "%s: in %s", f.name, f.file)
	}
}
