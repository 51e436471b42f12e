// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/vfs"

	"sentrybinder/pkg/sentry/devices/binder/alloc"
)

// takeFile takes a reference to the sender's file fd. The receiver's descriptor for it
// will be written to at, in bytes from the start of the buffer.
//
// Errors: EPERM if the receiver doesn't accept files, EBADF if the sender has no
// such file, ENOMEM if the payer has no room for it.
func (c *composer) takeFile(fd uint32, at uint64) error {
	if !c.filesAllowed {
		return c.refuse(linuxerr.EPERM, reasonFDsNotAllowed, uint64(fd))
	}
	file := c.task.GetFile(int32(fd))
	if file == nil {
		return c.refuse(linuxerr.EBADF, reasonInvalidFD, uint64(fd))
	}
	if err := c.t.payer.Charge(filePrice); err != nil {
		file.DecRef(c.task)
		return c.refuse(err, reasonNoMemory)
	}
	c.t.files = append(c.t.files, sentFile{file, at})
	c.t.hasDevices = c.t.hasDevices || processOf(file) != nil
	return nil
}

// installFiles installs t's files in the task that reads t, and writes their
// descriptors into the buffer.
//
// Errors: EMFILE if the task can't have that many; t keeps its files.
func (t *Transaction) installFiles(task Task) error {
	if len(t.files) == 0 {
		return nil
	}
	files := make([]*vfs.FileDescription, len(t.files))
	for i, f := range t.files {
		files[i] = f.file
	}
	fds, err := task.InstallFiles(files)
	if err != nil {
		return err
	}
	for i, f := range t.files {
		var raw [4]byte
		hostarch.ByteOrder.PutUint32(raw[:], uint32(fds[i]))
		if err := t.buffer.Write(f.offset, raw[:]); err != nil {
			return err
		}
	}
	t.dropFiles(task)
	return nil
}

// maxFilesAtOnce is the number of descriptors that are copied at once.
const maxFilesAtOnce = 64

// closeFiles closes the descriptors in the arrays of b, a delivered buffer that th is
// about to free. Descriptors sent as BINDER_TYPE_FD stay open.
//
// Preconditions: No lock is held.
func (th *Thread) closeFiles(task Task, b *alloc.Claimed) {
	c, ok := b.Cargo().(*cargo)
	if !ok || len(c.fileArrays) == 0 {
		return
	}
	const size = 4
	var raw [maxFilesAtOnce * size]byte
	for _, array := range c.fileArrays {
		for done := uint64(0); done < array.n*size; {
			n := min(array.n*size-done, uint64(len(raw)))
			if b.Read(array.start+done, raw[:n]) != nil {
				break
			}
			for i := uint64(0); i < n; i += size {
				task.CloseFile(int32(hostarch.ByteOrder.Uint32(raw[i:])))
			}
			done += n
		}
	}
	// As on Linux, where the files are closed when the thread returns to user space.
	th.proc.mu.Lock()
	defer th.proc.mu.Unlock()
	th.needReturn.Store(true)
}
