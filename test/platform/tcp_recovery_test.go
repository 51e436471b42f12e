// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Small segments fill the buffers of receivers that don't read. When these finally read,
// the rest arrives, though gVisor has dropped thousands of segments: they are
// retransmitted one after the other, not one at each retransmit timeout.
func TestTCPRecoversFromManyLostSegments(t *testing.T) {
	// Whether a connection recovers may depend on a round-trip time.
	const connections = 10
	received := make(chan error)
	for range connections {
		pair := tcpPair(t)
		require.NoError(t, unix.SetsockoptInt(pair[0], unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
		sent := fill(t, pair[0], 128)
		go func() { received <- readAll(pair[1], sent) }()
	}

	// Far more than it needs, and far less than thousands of timeouts would take.
	hung := time.After(time.Minute)
	for i := range connections {
		select {
		case err := <-received:
			require.NoError(t, err)
		case <-hung:
			require.FailNow(t, "hung", "%d of %d connections are done", i, connections)
		}
	}
}

// fill sends messages until there is no room for another, and returns how many
// bytes it has sent.
func fill(t *testing.T, fd, size int) int {
	sent := 0
	for {
		n, err := unix.SendmsgN(fd, make([]byte, size), nil, nil, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return sent
		}
		require.NoError(t, err)
		sent += n
	}
}

func readAll(fd, n int) error {
	buf := make([]byte, 1<<16)
	for n > 0 {
		got, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case got == 0:
			return io.ErrUnexpectedEOF
		}
		n -= got
	}
	return nil
}
