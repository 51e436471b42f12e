// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"
)

const emptyState = "binder state:\n"

// openLog opens a log that says emptyState.
func (w *world) openLog() {
	w.log = w.mustOpen("binder_logs/state", linux.O_RDWR)
}

// readLog reads up to n bytes of the log, from offset on or, if that is negative, from
// where the last read ended. It returns "EOF" at the end.
func (w *world) readLog(n int, offset int64) string {
	w.t.Helper()
	b := make([]byte, n)
	var done int64
	var err error
	if dst := usermem.BytesIOSequence(b); offset < 0 {
		done, err = w.log.Read(w.ctx, dst, vfs.ReadOptions{})
	} else {
		done, err = w.log.PRead(w.ctx, dst, offset, vfs.ReadOptions{})
	}
	if err == io.EOF {
		require.Zero(w.t, done)
		return "EOF"
	}
	require.NoError(w.t, err)
	return string(b[:done])
}

// A log can be read in parts, of any size and in any order.
func TestReadLog(t *testing.T) {
	w := newWorld(t, "stats=global")
	w.openLog()
	require.Empty(t, w.readLog(0, -1))
	require.Equal(t, "bin", w.readLog(3, -1))
	require.Equal(t, "der ", w.readLog(4, -1))
	require.Equal(t, "binder", w.readLog(6, 0))
	require.Equal(t, "state:\n", w.readLog(100, 7))
	require.Equal(t, "state:\n", w.readLog(100, -1))
	require.Equal(t, "EOF", w.readLog(100, -1))
	require.Equal(t, "EOF", w.readLog(100, 100))
	require.Equal(t, "\n", w.readLog(100, int64(len(emptyState)-1)))
	require.Equal(t, "EOF", w.readLog(1, -1))

	for _, tc := range []struct {
		offset int64
		whence int32
		want   int64
	}{
		{4, linux.SEEK_SET, 4},
		{3, linux.SEEK_CUR, 7},
		{0, linux.SEEK_CUR, 7},
	} {
		got, err := w.log.Seek(w.ctx, tc.offset, tc.whence)
		require.NoError(t, err)
		require.Equal(t, tc.want, got)
	}
	require.Equal(t, "state", w.readLog(5, -1))
	for _, whence := range []int32{linux.SEEK_SET, linux.SEEK_END} {
		_, err := w.log.Seek(w.ctx, -1, whence)
		requireErr(t, linuxerr.EINVAL, err)
	}
	require.Equal(t, ":\n", w.readLog(5, -1))
	_, err := w.log.Write(w.ctx, usermem.BytesIOSequence([]byte("x")), vfs.WriteOptions{})
	requireErr(t, linuxerr.EINVAL, err)
}

// A log read in part can be read to its end after a restore.
func TestReadLogAfterRestore(t *testing.T) {
	for n := range len(emptyState) {
		saved := newWorld(t, "stats=global")
		saved.openLog()
		begin := saved.readLog(n, -1)
		loaded := saved.restore()
		require.Equal(t, emptyState, begin+loaded.readLog(100, -1))
		require.Equal(t, "EOF", loaded.readLog(100, -1))
		require.Equal(t, emptyState, loaded.readLog(100, 0))
		loaded.log.DecRef(loaded.ctx)
	}
}
