// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"bytes"
	goContext "context"
	"io"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/sentry/devices/binder"
)

// logFile is a file in binder_logs. It is read in pieces, each generated when it is read.
//
// +stateify savable
type logFile struct {
	file
	domain *binder.Domain
	log    binder.Log
}

func (fs *filesystem) newLogFile(ctx context.Context, ino uint64, log binder.Log) *logFile {
	f := &logFile{domain: fs.domain, log: log}
	f.initNumbered(ctx, fs, ino, nil)
	return f
}

// Open implements kernfs.Inode.Open.
func (f *logFile) Open(ctx context.Context, rp *vfs.ResolvingPath, d *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &logFD{file: f}
	if err := fd.InitWithImpl(fd, rp.Mount(), d, readOnly{}, f.Locks(), opts.Flags, rp.Credentials()); err != nil {
		return nil, err
	}
	return fd.VFSFileDescription(), nil
}

// logFD is an open logFile.
//
// +stateify savable
type logFD struct {
	kernfs.DynamicBytesFD
	file *logFile

	mu logMutex `state:"nosave"`

	// offset is the position of the next read(2).
	// +checklocks:mu
	offset int64

	// text is the log where it was last read.
	// +checklocks:mu
	text logText
}

// logText is one piece of a log's text.
//
// +stateify savable
type logText struct {
	// piece is the unread rest of the last piece, offset its offset in the text, and
	// next the place after it in the log, unless ended is true.
	piece  bytes.Buffer `state:".([]byte)"`
	offset int64
	next   binder.LogPlace
	ended  bool
}

// savePiece is invoked by stateify.
func (t *logText) savePiece() []byte { return t.piece.Bytes() }

// loadPiece is invoked by stateify.
func (t *logText) loadPiece(_ goContext.Context, piece []byte) { t.piece.Write(piece) }

// seek goes to offset, if the text is that long. As on Linux, a read that doesn't continue
// the last one generates the log anew.
func (t *logText) seek(ctx context.Context, f *logFile, offset int64) {
	if offset != t.offset {
		*t = logText{}
	}
	for t.offset < offset && t.fill(ctx, f) {
		n := min(offset-t.offset, int64(t.piece.Len()))
		t.piece.Next(int(n))
		t.offset += n
	}
}

// fill ensures that t holds a piece of the text, or returns false at its end.
func (t *logText) fill(ctx context.Context, f *logFile) bool {
	for t.piece.Len() == 0 {
		if t.ended {
			t.piece = bytes.Buffer{} // Free its memory.
			return false
		}
		t.ended = !f.domain.View(ctx).WriteLog(ctx, &t.piece, f.log, &t.next)
	}
	return true
}

// read copies the text from offset on to dst.
func (t *logText) read(ctx context.Context, f *logFile, dst usermem.IOSequence, offset int64) (int64, error) {
	if dst.NumBytes() == 0 {
		return 0, nil
	}
	t.seek(ctx, f, offset)
	var done int64
	for dst.NumBytes() > 0 && t.fill(ctx, f) {
		n, err := dst.CopyOut(ctx, t.piece.Bytes())
		t.piece.Next(n)
		t.offset += int64(n)
		done += int64(n)
		if err != nil {
			return done, err
		}
		dst = dst.DropFirst(n)
	}
	if done == 0 {
		return 0, io.EOF
	}
	return done, nil
}

// PRead implements vfs.FileDescriptionImpl.PRead.
func (fd *logFD) PRead(ctx context.Context, dst usermem.IOSequence, offset int64, _ vfs.ReadOptions) (int64, error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return fd.text.read(ctx, fd.file, dst, offset)
}

// Read implements vfs.FileDescriptionImpl.Read.
func (fd *logFD) Read(ctx context.Context, dst usermem.IOSequence, _ vfs.ReadOptions) (int64, error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	n, err := fd.text.read(ctx, fd.file, dst, fd.offset)
	fd.offset += n
	return n, err
}

// Seek implements vfs.FileDescriptionImpl.Seek.
func (fd *logFD) Seek(_ context.Context, offset int64, whence int32) (int64, error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	switch whence {
	case linux.SEEK_SET:
	case linux.SEEK_CUR:
		offset += fd.offset
	default:
		return 0, linuxerr.EINVAL
	}
	if offset < 0 {
		return 0, linuxerr.EINVAL
	}
	fd.offset = offset
	return offset, nil
}
