// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:logs
package syscalls

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A log longer than one read is the same when read in parts of any size, and from any
// offset on.
func TestLogInParts(t *testing.T) {
	const many = 1500
	l, server, client := newLoggedPair(t)
	for i := range uint64(many) {
		server.give(client, 0x10+8*i, 0)
	}
	whole := l.raw("state")
	require.Equal(t, 2*many+1, strings.Count(whole, "\n  node ")+strings.Count(whole, "\n  ref "))
	f, err := os.Open(filepath.Join(filepath.Dir(statsFile), "state"))
	require.NoError(t, err)
	defer f.Close()
	for _, size := range []int{len(whole) + 1, 100_000, 4096, 333} {
		_, err := f.Seek(0, io.SeekStart)
		require.NoError(t, err)
		var text strings.Builder
		b := make([]byte, size)
		for {
			n, err := f.Read(b)
			text.Write(b[:n])
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		require.True(t, whole == text.String(), "in parts of %d bytes", size)
		n, err := f.Read(b)
		require.Zero(t, n)
		require.Equal(t, io.EOF, err)
	}
	for _, offset := range []int{len(whole) - 10, 70_000, 5, 40_000, 40_100} {
		b := make([]byte, 100)
		n, err := f.ReadAt(b, int64(offset))
		if err != io.EOF {
			require.NoError(t, err)
		}
		require.Equal(t, whole[offset:min(offset+100, len(whole))], string(b[:n]), "from offset %d on", offset)
	}
	offset, err := f.Seek(50_000, io.SeekStart)
	require.NoError(t, err)
	rest, err := io.ReadAll(f)
	require.NoError(t, err)
	require.True(t, whole[offset:] == string(rest))
	_, err = f.Seek(0, io.SeekEnd)
	require.Error(t, err)
}
