// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"strconv"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder"
)

// newLogs returns the directory binder_logs. It shows what the reader may see of the
// driver; see binder.View.
func (fs *filesystem) newLogs(ctx context.Context) *dir {
	d := fs.makeDir(ctx, fs.dirOwner, fs.NextIno())
	for _, l := range []struct {
		name string
		log  binder.Log
	}{
		{"state", binder.Log{Kind: binder.LogState}},
		{"state_hashed", binder.Log{Kind: binder.LogState, Hashed: true}},
		{"stats", binder.Log{Kind: binder.LogStats}},
		{"transactions", binder.Log{Kind: binder.LogTransactions}},
		{"transactions_hashed", binder.Log{Kind: binder.LogTransactions, Hashed: true}},
		{"transaction_log", binder.Log{Kind: binder.LogLast}},
		{"failed_transaction_log", binder.Log{Kind: binder.LogLastFailed}},
	} {
		fs.mustAdd(ctx, d, l.name, fs.newLogFile(ctx, fs.NextIno(), l.log))
	}
	fs.mustAdd(ctx, d, "proc", fs.newProcDir(ctx))
	return d
}

// endOfProcs is greater than the Seq of any LoggedProcess, which is a time.
const endOfProcs = 1 << 62

// procDir is binder_logs/proc. It has a file for each process that opened a device of the
// instance, or one in the reader's /dev, named by the process's ID in the reader's PID
// namespace. Lookups create the files.
//
// +stateify savable
type procDir struct {
	dir
	fs *filesystem
}

func (fs *filesystem) newProcDir(ctx context.Context) *procDir {
	d := &procDir{fs: fs}
	d.init(ctx, fs, fs.dirOwner, fs.NextIno(), linux.ModeDirectory|0755)
	d.none.Init(kernfs.OrderedChildrenOptions{})
	return d
}

// Lookup implements kernfs.Inode.Lookup.
func (d *procDir) Lookup(ctx context.Context, name string) (kernfs.Inode, error) {
	pid, err := strconv.ParseInt(name, 10, 32)
	if err != nil || strconv.FormatInt(pid, 10) != name {
		return nil, linuxerr.ENOENT
	}
	p, ok := d.fs.domain.View(ctx).LoggedProcess(int32(pid))
	if !ok {
		return nil, linuxerr.ENOENT
	}
	return d.fs.newLogFile(ctx, firstProcIno+p.Seq, binder.Log{Kind: binder.LogProcess, PID: p.PID}), nil
}

// IterDirents implements kernfs.Inode.IterDirents. The newest comes first.
func (d *procDir) IterDirents(ctx context.Context, mnt *vfs.Mount, cb vfs.IterDirentsCallback, offset, relOffset int64) (int64, error) {
	d.TouchAtime(ctx, mnt)
	for p := range d.fs.domain.View(ctx).LoggedProcesses(uint64(max(endOfProcs-relOffset+1, 0))) {
		place := endOfProcs - int64(p.Seq)
		next := offset - relOffset + place + 1
		if err := cb.Handle(vfs.Dirent{
			Name:    strconv.FormatInt(int64(p.PID), 10),
			Type:    linux.DT_REG,
			Ino:     firstProcIno + p.Seq,
			NextOff: next,
		}); err != nil {
			return offset, err
		}
		offset, relOffset = next, place+1
	}
	return offset, nil
}
