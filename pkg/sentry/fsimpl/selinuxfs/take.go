// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinuxfs

import (
	"bytes"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/sentry/selinux"
)

// takeID says what a setting accepts.
type takeID int

const (
	takeNothing takeID = iota
	takeAnything
	takeNumber
	takeEnforce
	takeTransition
)

// check returns an error if data can't be written.
//
// Errors: EINVAL.
func (id takeID) check(data string) error {
	switch id {
	case takeAnything:
		return nil
	case takeNumber:
		_, err := scanInt(data)
		return err
	case takeEnforce:
		// A caller that asks for enforcement must not believe it has it. A Linux
		// built with only one of the modes refuses in the same way.
		n, err := scanInt(data)
		if err == nil && n != 0 {
			err = linuxerr.EINVAL
		}
		return err
	case takeTransition:
		return checkTransition(data)
	default:
		return linuxerr.EINVAL
	}
}

// checkTransition returns an error unless data describes a change of an object's context:
// the old one, the new one, a class, and the context of the task that changes it.
func checkTransition(data string) error {
	q, err := parseQuestion(data)
	if err != nil {
		return err
	}
	if len(q.rest) == 0 {
		return linuxerr.EINVAL
	}
	for _, label := range []string{q.source, q.target, q.rest[0]} {
		if _, err := selinux.Canonical(label); err != nil {
			return err
		}
	}
	return nil
}

// maxPolicyLen is the maximum length of a policy, in bytes. Android's have up to 5 MiB.
const maxPolicyLen = 32 << 20

// policyPiece is the number of bytes of a policy that are read at a time.
const policyPiece = 64 << 10

// policyMagic is the start of a policy: a number, and a string preceded by its length.
var policyMagic = []byte("\x8c\xff\x7c\xf9\x08\x00\x00\x00SE Linux")

// load is the file that policies are written to. It discards them.
//
// +stateify savable
type load struct {
	setting
}

func (fs *filesystem) newLoad(ctx context.Context) kernfs.Inode {
	f := &load{}
	f.init(ctx, fs, 0600)
	return f
}

// Open implements kernfs.Inode.Open.
func (f *load) Open(_ context.Context, rp *vfs.ResolvingPath, d *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &loadFD{}
	if err := fd.InitWithImpl(fd, rp.Mount(), d, f, &f.locks, opts.Flags, rp.Credentials()); err != nil {
		return nil, err
	}
	return fd.VFSFileDescription(), nil
}

// loadFD is an open load.
//
// +stateify savable
type loadFD struct {
	kernfs.DynamicBytesFD
}

// Write implements vfs.FileDescriptionImpl.Write.
func (fd *loadFD) Write(ctx context.Context, src usermem.IOSequence, opts vfs.WriteOptions) (int64, error) {
	return fd.PWrite(ctx, src, 0, opts)
}

// PWrite implements vfs.FileDescriptionImpl.PWrite.
//
// Errors: EINVAL if the data is not a policy, or doesn't start at offset 0, EFBIG if it's
// too long to be one.
func (fd *loadFD) PWrite(ctx context.Context, src usermem.IOSequence, offset int64, _ vfs.WriteOptions) (int64, error) {
	if offset != 0 {
		return 0, linuxerr.EINVAL
	}
	size := src.NumBytes()
	if size > maxPolicyLen {
		return 0, linuxerr.EFBIG
	}
	piece := make([]byte, min(size, policyPiece))
	for first := true; first || src.NumBytes() > 0; first = false {
		n, err := src.CopyIn(ctx, piece)
		if err != nil {
			return 0, err
		}
		if first && !bytes.HasPrefix(piece, policyMagic) {
			return 0, linuxerr.EINVAL
		}
		src = src.DropFirst(n)
	}
	return size, nil
}
