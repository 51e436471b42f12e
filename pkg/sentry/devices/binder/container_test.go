// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// TestContainerDevice: a device is one per container.
func TestContainerDevice(t *testing.T) {
	d := containerDevice{driver: newWorld(t).driver, name: "binder", secctx: testLabel}
	one := d.device("one")
	require.NotSame(t, one.ctx, d.device("two").ctx)
	require.Same(t, one, d.device("one"))
	require.Equal(t, "binder", one.ctx.name)
	require.Equal(t, testLabel, one.ctx.secctx)

	// The sentry itself is in none.
	_, err := d.Open(newContext(), nil, nil, vfs.OpenOptions{})
	require.Equal(t, linuxerr.ENXIO, err)
}
