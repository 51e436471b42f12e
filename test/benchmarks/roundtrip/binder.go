// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// mappingSize is what libbinder maps: 1 MiB less two pages.
const mappingSize = 1<<20 - 2*4096

// process is an open binder device.
type process struct {
	fd      int
	payload []byte
	wr      binder.WriteRead
	write   [256]byte
	read    [512]byte
}

func openBinder() *process {
	fd, err := unix.Open(*device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(err)
	_, err = unix.Mmap(fd, 0, mappingSize, unix.PROT_READ, unix.MAP_PRIVATE)
	check(err)
	return &process{fd: fd, payload: make([]byte, *bytes)}
}

func (p *process) ioctl(request uintptr, arg unsafe.Pointer) {
	// An interrupted call goes on where it was; its argument says how far it got.
	errno := unix.EINTR
	for errno == unix.EINTR {
		_, _, errno = unix.RawSyscall(unix.SYS_IOCTL, uintptr(p.fd), request, uintptr(arg))
	}
	if errno != 0 {
		fail("%s: %v", *device, errno)
	}
}

// command appends a command to commands, which lie in p.write.
func command(commands []byte, cmd uint32, params ...uint64) []byte {
	commands = binary.NativeEndian.AppendUint32(commands, cmd)
	for _, param := range params {
		commands = binary.NativeEndian.AppendUint64(commands, param)
	}
	return commands
}

// transaction appends a call to handle 0, or the answer to one.
func (p *process) transaction(commands []byte, cmd uint32) []byte {
	return command(commands, cmd, 0, 0, 0, 0, uint64(len(p.payload)), 0,
		uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p.payload)))), 0)
}

// exchange carries out commands and reads until it finds the return want, a
// transaction. It returns the address of its buffer.
func (p *process) exchange(commands []byte, want uint32) uint64 {
	for {
		p.wr = binder.WriteRead{
			WriteSize:   uint64(len(commands)),
			WriteBuffer: uint64(uintptr(unsafe.Pointer(&p.write))),
			ReadSize:    uint64(len(p.read)),
			ReadBuffer:  uint64(uintptr(unsafe.Pointer(&p.read))),
		}
		p.ioctl(binder.BINDER_WRITE_READ, unsafe.Pointer(&p.wr))
		commands = nil
		for in := p.read[:p.wr.ReadConsumed]; len(in) != 0; {
			br := binary.NativeEndian.Uint32(in)
			params := in[4:]
			switch br {
			case want:
				var tr binder.TransactionData
				tr.UnmarshalUnsafe(params)
				return tr.Buffer
			case binder.BR_NOOP, binder.BR_TRANSACTION_COMPLETE:
			default:
				fail("%s: unexpected return %#x", *device, br)
			}
			in = params[binder.CommandSize(br):]
		}
	}
}

func openNothing() (client, server []*os.File) { return nil, nil }

func binderClient([]*os.File) func() {
	p := openBinder()
	var answer uint64
	return func() {
		commands := p.write[:0]
		if answer != 0 {
			commands = command(commands, binder.BC_FREE_BUFFER, answer)
		}
		answer = p.exchange(p.transaction(commands, binder.BC_TRANSACTION), binder.BR_REPLY)
	}
}

func binderServer([]*os.File) func() {
	p := openBinder()
	p.ioctl(binder.BINDER_SET_CONTEXT_MGR, nil)
	commands := command(p.write[:0], binder.BC_ENTER_LOOPER)
	return func() {
		call := p.exchange(commands, binder.BR_TRANSACTION)
		commands = p.transaction(command(p.write[:0], binder.BC_FREE_BUFFER, call), binder.BC_REPLY)
	}
}
