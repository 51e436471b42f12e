// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import "golang.org/x/sys/unix"

// The system calls behind poll(2) and epoll_wait(2), and the former's timeout if there is
// none.
const (
	sysPoll      = unix.SYS_POLL
	pollForever  = ^uintptr(0)
	sysEpollWait = unix.SYS_EPOLL_WAIT
)
