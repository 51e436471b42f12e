// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinuxfs

import (
	"io"
	"strconv"
	"strings"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/sentry/selinux"
)

// maxTransaction is the maximum length of an answer in bytes, and one more than that of a
// question. Linux keeps both in a page, after eight bytes.
const maxTransaction = hostarch.PageSize - 8

// answerID says what a transaction file answers.
type answerID int

const (
	answerAccess answerID = iota
	answerContext
	answerCreate
	answerMember
	answerRelabel
	answerUser
)

// answer answers a question.
//
// Errors: EINVAL if the question is malformed, or has an invalid context.
func (id answerID) answer(question string) (string, error) {
	switch id {
	case answerContext:
		label, err := selinux.Canonical(question)
		return label + "\x00", err
	case answerUser:
		// A user can reach no context. Linux 7.3 gives the same answer, whatever the
		// question.
		return "0\x00", nil
	}
	q, err := parseQuestion(question)
	if err != nil {
		return "", err
	}
	var label string
	switch id {
	case answerAccess:
		for _, label := range []string{q.source, q.target} {
			if _, err := selinux.Canonical(label); err != nil {
				return "", err
			}
		}
		// Everything is allowed and decided; nothing is audited if granted, everything
		// if denied; the policy is the first, and permissive.
		return "ffffffff ffffffff 0 ffffffff 1 1", nil
	case answerCreate:
		label, err = selinux.Create(q.source, q.target, q.class)
	case answerMember:
		label, err = selinux.Member(q.source, q.target, q.class)
	case answerRelabel:
		label, err = selinux.Relabel(q.source, q.target, q.class)
	}
	return label + "\x00", err
}

// question is the question of most files: two contexts, the class of an object, and
// perhaps more, separated by spaces.
type question struct {
	source, target string
	class          selinux.Class
	rest           []string
}

func parseQuestion(s string) (question, error) {
	s, _, _ = strings.Cut(s, "\x00")
	fields := strings.FieldsFunc(s, isSpace)
	if len(fields) < 3 {
		return question{}, linuxerr.EINVAL
	}
	class, err := scanUint16(fields[2])
	return question{fields[0], fields[1], selinux.Class(class), fields[3:]}, err
}

func isSpace(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }

// scanUint16 reads the number at the start of s, as scanf does: it is truncated to 16 bits.
func scanUint16(s string) (uint16, error) {
	digits := s[:len(s)-len(strings.TrimLeft(strings.TrimPrefix(s, "+"), "0123456789"))]
	n, err := strconv.ParseUint(strings.TrimPrefix(digits, "+"), 10, 64)
	if err != nil {
		return 0, linuxerr.EINVAL
	}
	return uint16(n), nil
}

// scanInt reads the number at the start of s, after spaces, as scanf does.
func scanInt(s string) (int64, error) {
	s = strings.TrimLeftFunc(s, isSpace)
	end := len(s) - len(strings.TrimLeft(strings.TrimLeft(s, "+-"), "0123456789"))
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil {
		return 0, linuxerr.EINVAL
	}
	return n, nil
}

// transaction is a file that answers questions.
//
// +stateify savable
type transaction struct {
	file
	answer answerID
}

func (fs *filesystem) newTransaction(ctx context.Context, answer answerID) kernfs.Inode {
	f := &transaction{answer: answer}
	f.init(ctx, fs, 0666)
	return f
}

// Open implements kernfs.Inode.Open.
func (f *transaction) Open(_ context.Context, rp *vfs.ResolvingPath, d *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &transactionFD{id: f.answer}
	fd.LockFD.Init(&f.locks)
	if err := fd.vfsfd.Init(fd, opts.Flags, rp.Credentials(), rp.Mount(), d.VFSDentry(), &vfs.FileDescriptionOptions{UseDentryMetadata: true}); err != nil {
		return nil, err
	}
	return &fd.vfsfd, nil
}

// transactionFD is an open transaction file. It takes one question.
//
// +stateify savable
type transactionFD struct {
	vfsfd vfs.FileDescription
	vfs.FileDescriptionDefaultImpl
	vfs.DentryMetadataFileDescriptionImpl
	vfs.LockFD

	id answerID

	mu transactionMutex `state:"nosave"`

	// asked is true after the question, and answer is its answer if it was valid.
	// +checklocks:mu
	asked bool
	// +checklocks:mu
	answer string

	// offset is the position of the next read(2) in answer.
	// +checklocks:mu
	offset int64
}

// Release implements vfs.FileDescriptionImpl.Release.
func (*transactionFD) Release(context.Context) {}

// Write implements vfs.FileDescriptionImpl.Write.
//
// Errors: EBUSY if there was a question before, EFBIG if this one is too long, ERANGE if
// the answer is, and those of answerID.answer.
func (fd *transactionFD) Write(ctx context.Context, src usermem.IOSequence, _ vfs.WriteOptions) (int64, error) {
	if src.NumBytes() >= maxTransaction {
		return 0, linuxerr.EFBIG
	}
	question := make([]byte, src.NumBytes())
	if _, err := src.CopyIn(ctx, question); err != nil {
		return 0, err
	}
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.asked {
		return 0, linuxerr.EBUSY
	}
	fd.asked = true
	answer, err := fd.id.answer(string(question))
	if err != nil {
		return 0, err
	}
	if len(answer) > maxTransaction {
		return 0, linuxerr.ERANGE
	}
	fd.answer = answer
	return int64(len(question)), nil
}

// PWrite implements vfs.FileDescriptionImpl.PWrite.
func (fd *transactionFD) PWrite(ctx context.Context, src usermem.IOSequence, _ int64, opts vfs.WriteOptions) (int64, error) {
	return fd.Write(ctx, src, opts)
}

// PRead implements vfs.FileDescriptionImpl.PRead.
func (fd *transactionFD) PRead(ctx context.Context, dst usermem.IOSequence, offset int64, _ vfs.ReadOptions) (int64, error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return fd.readLocked(ctx, dst, offset)
}

// Read implements vfs.FileDescriptionImpl.Read.
func (fd *transactionFD) Read(ctx context.Context, dst usermem.IOSequence, _ vfs.ReadOptions) (int64, error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	n, err := fd.readLocked(ctx, dst, fd.offset)
	fd.offset += n
	return n, err
}

// +checklocks:fd.mu
func (fd *transactionFD) readLocked(ctx context.Context, dst usermem.IOSequence, offset int64) (int64, error) {
	if offset >= int64(len(fd.answer)) {
		return 0, io.EOF
	}
	n, err := dst.CopyOut(ctx, []byte(fd.answer[offset:]))
	return int64(n), err
}

// Seek implements vfs.FileDescriptionImpl.Seek.
func (fd *transactionFD) Seek(_ context.Context, offset int64, whence int32) (int64, error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	switch whence {
	case linux.SEEK_SET:
	case linux.SEEK_CUR:
		offset += fd.offset
	case linux.SEEK_END: // The file has no size.
	default:
		return 0, linuxerr.EINVAL
	}
	if offset < 0 {
		return 0, linuxerr.EINVAL
	}
	fd.offset = offset
	return offset, nil
}
