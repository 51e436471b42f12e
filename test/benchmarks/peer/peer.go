// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package peer speaks Binder for the benchmarks, with as little work of its own as
// possible. Any failure ends the program.
package peer

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// mappingSize is the most that the driver maps, which a payload of 1 MiB needs.
const mappingSize = 4 << 20

// Process is an open binder device, as used by one thread.
type Process struct {
	device  string
	fd      int
	mapping []byte
	wr      binder.WriteRead
	write   [16 << 10]byte
	read    [16 << 10]byte

	// Dozing says whether Go's scheduler knows about calls. If it doesn't, calls
	// take less time, but a process whose threads all wait in calls looks busy to
	// Go, which checks on it every 10 ms.
	Dozing bool
}

// Open opens and maps a device.
func Open(device string) *Process {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	Check(err)
	mapping, err := unix.Mmap(fd, 0, mappingSize, unix.PROT_READ, unix.MAP_PRIVATE)
	Check(err)
	return &Process{device: device, fd: fd, mapping: mapping}
}

// Thread returns the same device for another thread.
func (p *Process) Thread() *Process {
	return &Process{device: p.device, fd: p.fd, mapping: p.mapping, Dozing: p.Dozing}
}

func (p *Process) ioctl(request uintptr, arg unsafe.Pointer) {
	p.check(p.Try(request, arg))
}

func (p *Process) check(errno unix.Errno) {
	if errno != 0 {
		Fail("%s: %v", p.device, errno)
	}
}

// Try makes an ioctl that may fail.
func (p *Process) Try(request uintptr, arg unsafe.Pointer) unix.Errno {
	// An interrupted call continues where it was: its argument says how far it got.
	call := unix.RawSyscall
	if p.Dozing {
		call = unix.Syscall
	}
	for {
		_, _, errno := call(unix.SYS_IOCTL, uintptr(p.fd), request, uintptr(arg))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Version asks for the driver's version: a system call that does next to nothing.
func (p *Process) Version() {
	var version int32
	p.ioctl(binder.BINDER_VERSION, unsafe.Pointer(&version))
}

// BecomeManager makes p the context manager, whose node accepts files.
func (p *Process) BecomeManager() {
	o := binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Flags: binder.FLAT_BINDER_FLAG_ACCEPTS_FDS}
	p.ioctl(binder.BINDER_SET_CONTEXT_MGR_EXT, unsafe.Pointer(&o))
}

// Commands returns an empty list of commands in p's memory, which has room for one
// list at a time.
func (p *Process) Commands() []byte { return p.write[:0] }

// Command appends a command to commands.
func Command(commands []byte, cmd uint32, params ...uint64) []byte {
	commands = binary.NativeEndian.AppendUint32(commands, cmd)
	for _, param := range params {
		commands = binary.NativeEndian.AppendUint64(commands, param)
	}
	return commands
}

// HandleCommand appends a command whose parameter is a handle.
func HandleCommand(commands []byte, cmd, handle uint32) []byte {
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(commands, cmd), handle)
}

// Transaction appends a call to handle 0, or a reply to a call, with data and the
// objects at offsets in it.
func Transaction(commands []byte, cmd uint32, data []byte, offsets []uint64) []byte {
	return TransactionTo(commands, cmd, 0, 0, 0, data, offsets)
}

// TransactionTo is Transaction to a handle, with a code and flags.
func TransactionTo(commands []byte, cmd, handle, code, flags uint32, data []byte, offsets []uint64) []byte {
	return Command(commands, cmd, uint64(handle), 0, uint64(code)|uint64(flags)<<32, 0, uint64(len(data)), uint64(8*len(offsets)),
		uint64(uintptr(unsafe.Pointer(unsafe.SliceData(data)))),
		uint64(uintptr(unsafe.Pointer(unsafe.SliceData(offsets)))))
}

// Exchange sends commands and calls f for each return until it reads the return
// want: a transaction, or one without parameters. It hides BR_NOOP and
// BR_TRANSACTION_COMPLETE from f. Without f, any other return is a failure.
func (p *Process) Exchange(commands []byte, want uint32, f func(br uint32, params []byte)) binder.TransactionData {
	for {
		for in := p.exchange(commands); len(in) != 0; {
			br := binary.NativeEndian.Uint32(in)
			params := in[4:]
			switch {
			case br == want && binder.CommandSize(br) == 0:
				return binder.TransactionData{}
			case br == want:
				var tr binder.TransactionData
				tr.UnmarshalUnsafe(params)
				return tr
			case br == binder.BR_NOOP, br == binder.BR_TRANSACTION_COMPLETE:
			case f != nil:
				f(br, params)
			default:
				Fail("%s: unexpected return %#x", p.device, br)
			}
			in = params[binder.CommandSize(br):]
		}
		commands = nil
	}
}

// Attempt sends commands that end with a call, and returns the answer, or false if
// the driver refuses the call, as it does when it has no memory for it.
func (p *Process) Attempt(commands []byte, f func(br uint32, params []byte)) (binder.TransactionData, bool) {
	for {
		in, errno := p.tryExchange(commands)
		if errno != 0 {
			return binder.TransactionData{}, false
		}
		for len(in) != 0 {
			br, params := binary.NativeEndian.Uint32(in), in[4:]
			switch br {
			case binder.BR_REPLY:
				var tr binder.TransactionData
				tr.UnmarshalUnsafe(params)
				return tr, true
			case binder.BR_FAILED_REPLY, binder.BR_DEAD_REPLY:
				return binder.TransactionData{}, false
			case binder.BR_NOOP, binder.BR_TRANSACTION_COMPLETE:
			default:
				f(br, params)
			}
			in = params[binder.CommandSize(br):]
		}
		commands = nil
	}
}

// Poll sends commands, calls f for each return that is ready, and returns their
// number. It doesn't wait for returns if Unblock was called, or if the driver
// refuses the commands.
func (p *Process) Poll(commands []byte, f func(br uint32)) (returns int) {
	in, _ := p.tryExchange(commands)
	for len(in) != 0 {
		br := binary.NativeEndian.Uint32(in)
		if br != binder.BR_NOOP {
			f(br)
			returns++
		}
		in = in[4+binder.CommandSize(br):]
	}
	return returns
}

// Unblock makes reads of the device fail instead of blocking.
func (p *Process) Unblock() { Check(unix.SetNonblock(p.fd, true)) }

// Send sends commands that end with a one-way transaction, and returns false if
// there is no room for it.
func (p *Process) Send(commands []byte) bool {
	for {
		in, errno := p.tryExchange(commands)
		if errno == unix.ENOMEM {
			return false
		}
		p.check(errno)
		for len(in) != 0 {
			switch br := binary.NativeEndian.Uint32(in); br {
			case binder.BR_TRANSACTION_COMPLETE:
				return true
			case binder.BR_FAILED_REPLY:
				return false
			case binder.BR_NOOP:
				in = in[4:]
			default:
				Fail("%s: unexpected return %#x", p.device, br)
			}
		}
		commands = nil
	}
}

// Returns waits for returns other than transactions, and calls f for each.
func (p *Process) Returns(f func(br uint32, params []byte)) {
	for in := p.exchange(nil); len(in) != 0; {
		br := binary.NativeEndian.Uint32(in)
		f(br, in[4:])
		in = in[4+binder.CommandSize(br):]
	}
}

// Close unmaps and closes the device, which no other thread may be using.
func (p *Process) Close() {
	Check(unix.Munmap(p.mapping))
	Check(unix.Close(p.fd))
}

// Write sends commands.
func (p *Process) Write(commands []byte) {
	p.wr = binder.WriteRead{
		WriteSize:   uint64(len(commands)),
		WriteBuffer: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(commands)))),
	}
	p.ioctl(binder.BINDER_WRITE_READ, unsafe.Pointer(&p.wr))
}

// exchange sends commands and returns what there is to read.
func (p *Process) exchange(commands []byte) []byte {
	in, errno := p.tryExchange(commands)
	p.check(errno)
	return in
}

func (p *Process) tryExchange(commands []byte) ([]byte, unix.Errno) {
	p.wr = binder.WriteRead{
		WriteSize:   uint64(len(commands)),
		WriteBuffer: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(commands)))),
		ReadSize:    uint64(len(p.read)),
		ReadBuffer:  uint64(uintptr(unsafe.Pointer(&p.read))),
	}
	errno := p.Try(binder.BINDER_WRITE_READ, unsafe.Pointer(&p.wr))
	return p.read[:p.wr.ReadConsumed], errno
}

// Data returns the data of tr, which p received.
func (p *Process) Data(tr binder.TransactionData) []byte {
	start := tr.Buffer - uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p.mapping))))
	return p.mapping[start : start+tr.DataSize]
}

// Check ends the program if err is not nil.
func Check(err error) {
	if err != nil {
		Fail("%v", err)
	}
}

// Fail ends the program with a message.
func Fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, os.Args[0]+": "+format+"\n", args...)
	os.Exit(1)
}
