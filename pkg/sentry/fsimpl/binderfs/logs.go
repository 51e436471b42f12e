// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"bytes"
	"fmt"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"

	"sentrybinder/pkg/sentry/devices/binder"
)

// newLogs returns the directory binder_logs. It shows what the whole driver
// does, whatever the instance.
func (fs *filesystem) newLogs(ctx context.Context, creds *auth.Credentials) kernfs.Inode {
	stats := &statsFile{driver: fs.driver}
	stats.Init(ctx, creds, linux.UNNAMED_MAJOR, fs.devMinor, fs.NextIno(), stats, 0444)
	return fs.newDir(ctx, creds, map[string]kernfs.Inode{"stats": stats})
}

// statsFile is binder_logs/stats.
//
// +stateify savable
type statsFile struct {
	kernfs.DynamicBytesFile

	driver *binder.Driver
}

// Generate implements vfs.DynamicBytesSource.Generate.
func (f *statsFile) Generate(_ context.Context, buf *bytes.Buffer) error {
	buf.WriteString("binder stats:\n")
	for _, c := range f.driver.ObjectCounts() {
		if c.Total != 0 {
			fmt.Fprintf(buf, "%s: active %d total %d\n", c.Name, c.Active, c.Total)
		}
	}
	return nil
}
