// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import "golang.org/x/sys/unix"

// The system calls behind the C library's poll(2) and epoll_wait(2), and the former's
// timeout if there is none: a null pointer.
const (
	sysPoll      = unix.SYS_PPOLL
	pollForever  = 0
	sysEpollWait = unix.SYS_EPOLL_PWAIT
)
