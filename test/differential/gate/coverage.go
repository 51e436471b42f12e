// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"runtime/coverage"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/usermem"
)

// coverageRequest copies the driver's Go coverage since the last such request to the
// application: first the metadata, then the counters, each preceded by its size in 8
// bytes. The result is the number of bytes copied. If the sandbox was built without
// coverage, the error is ENOTTY.
const coverageRequest = 0x6702

func copyOutCoverage(caller *kernel.Task, uio usermem.IO, at hostarch.Addr) (uintptr, error) {
	var all []byte
	var b bytes.Buffer
	if err := coverage.WriteMeta(&b); err != nil {
		return 0, linuxerr.ENOTTY
	}
	all = hostarch.ByteOrder.AppendUint64(all, uint64(b.Len()))
	all = append(all, b.Bytes()...)
	b.Reset()
	if err := coverage.WriteCounters(&b); err != nil {
		return 0, linuxerr.ENOTTY
	}
	if err := coverage.ClearCounters(); err != nil {
		return 0, linuxerr.ENOTTY
	}
	all = hostarch.ByteOrder.AppendUint64(all, uint64(b.Len()))
	all = append(all, b.Bytes()...)
	n, err := uio.CopyOut(caller, at, all, usermem.IOOpts{})
	return uintptr(n), err
}
