// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package program defines what the differential test runs: sequences of steps by
// several processes and threads, one step at a time.
//
// A program is data. Everything it does is spelled out, so that it can be shortened,
// stored and replayed. Only values that are not known until it runs, such as the
// address of a received buffer, are given by an index: the first buffer received,
// the second, and so on. An index that refers to nothing yields an invalid address
// or descriptor, so any subsequence of a program is a program, too.
package program

import (
	"encoding/json"

	"sentrybinder/pkg/abi/binder"
)

// A Program is a sequence of steps.
type Program struct {
	// Name says where the program came from.
	Name  string
	Steps []Step
}

// Sizes of a program's world.
const (
	// Processes is the number of processes at the start, and MaxProcesses the
	// most there can be, forked ones included.
	Processes    = 4
	MaxProcesses = 6

	// Threads is the number of threads of each initial process. Forked processes
	// have one.
	Threads = 3

	// Devices is the number of devices that a process can have open.
	Devices = 2

	// Files is the number of ordinary files that each process has open. The last
	// one is opened with O_PATH.
	Files = 4
)

// FirstFile is the descriptor of a process's first file, and FirstFree the first
// unused one.
const (
	FirstFile = 3
	FirstFree = FirstFile + Files
)

// A Step is something that a thread does, or that happens to it.
type Step struct {
	Op Op

	// P is the index of the process, and T that of the thread in it.
	P, T int

	// Device is the index of the open device that the step uses.
	Device int `json:",omitempty"`

	// Arg is the operation's argument. See the constants of type Op.
	Arg uint64 `json:",omitempty"`

	// The remaining fields are for WriteRead. The declared size of the write
	// buffer is that of the commands plus Excess.
	Write  []Command `json:",omitempty"`
	Excess int       `json:",omitempty"`
	// ReadSize is the size of the read buffer; 0 if there is none.
	ReadSize int `json:",omitempty"`
	// WriteConsumed and ReadConsumed are the initial values of those fields.
	WriteConsumed int   `json:",omitempty"`
	ReadConsumed  int   `json:",omitempty"`
	Fault         Fault `json:",omitempty"`
}

// An Op is what a Step does.
type Op string

// Operations.
const (
	Open      Op = "open"       // Arg: bits 0-7, index in DeviceNames; from bit 8, open(2) flags
	Close     Op = "close"      //
	Mmap      Op = "mmap"       // Arg: low half, size; high half, protection
	Munmap    Op = "munmap"     // Arg: how much to unmap from the start; 0 for all of it
	Move      Op = "move"       // Arg: the new size of the mapping, which moves elsewhere
	Peek      Op = "peek"       // Arg: offset in the mapping
	WriteRead Op = "write-read" //
	Ioctl     Op = "ioctl"      // Arg: low half, request; high half, 32-bit argument
	Poll      Op = "poll"       //
	Epoll     Op = "epoll"      // Arg: event flags, if this adds the device to the epoll instance
	NonBlock  Op = "nonblock"   // Arg: 1 to set O_NONBLOCK, 0 to clear it
	DupClose  Op = "dup-close"  //
	Fork      Op = "fork"       //
	Exit      Op = "exit"       //
	Kill      Op = "kill"       //
	Signal    Op = "signal"     //
	SetUser   Op = "set-user"   // Arg: the user ID
	FileLimit Op = "file-limit" // Arg: RLIMIT_NOFILE
	CloseFile Op = "close-file" // Arg: any descriptor
	Nice      Op = "nice"       // Arg: the thread's new nice value plus 20; 40 or more to only query it
	Freeze    Op = "freeze"     // Arg: bits 0-7, the process; bits 8-15, the enable field; from bit 16, time-out in ms
	Frozen    Op = "frozen"     // Arg: the process
	NodeInfo  Op = "node-info"  // Arg: low half, handle; high half, the field that follows it
	NodeDebug Op = "node-debug" // Arg: a node's address
	LastError Op = "last-error" //
	Log       Op = "log"        // Arg: bits 0-7, index in LogNames; from bit 8, the process, for "proc"
)

// DeviceNames are the names of the devices, by index.
var DeviceNames = [...]string{"binder", "hwbinder", "vndbinder"}

// LogNames are the files in binder_logs, by index. "proc" stands for one process's
// file in the directory proc.
var LogNames = []string{"transactions", "transactions_hashed", "state_hashed", "transaction_log", "failed_transaction_log", "proc"}

// A Fault says which of a call's memory is inaccessible. Only the first two faults
// apply to operations other than WriteRead.
type Fault int

// Faults.
const (
	NoFault     Fault = iota
	ArgFault          // the argument's address is bad
	ArgReadOnly       // the argument is read-only
	WriteFault        // the write buffer's address is bad
	WriteEdge         // the last word of the write buffer is inaccessible
	ReadFault         // the read buffer's address is bad
	ReadEdge          // only the first 8 bytes of the read buffer are accessible
)

// A Command is a BC_ command. Which fields it uses depends on its code.
type Command struct {
	Code   uint32
	Handle uint32 `json:",omitempty"`
	Ptr    uint64 `json:",omitempty"`
	Cookie uint64 `json:",omitempty"`
	// Message is the index, among the messages that were received through the device,
	// of the one whose buffer is to be freed. Delta is added to the buffer's address.
	Message     int          `json:",omitempty"`
	Delta       int64        `json:",omitempty"`
	Transaction *Transaction `json:",omitempty"`
}

// A Transaction is the content of a transaction or a reply.
type Transaction struct {
	Code, Flags uint32
	Parts       []Part `json:",omitempty"`

	// Offsets, if not nil, replaces the offsets of the objects.
	Offsets []uint64 `json:",omitempty"`
	// DataExcess and OffsetsExcess are added to the declared sizes.
	DataExcess    int64 `json:",omitempty"`
	OffsetsExcess int64 `json:",omitempty"`
	Extra         int64 `json:",omitempty"` // buffers_size, for the _SG commands

	// DataFault and OffsetsFault make the respective address bad.
	DataFault    bool `json:",omitempty"`
	OffsetsFault bool `json:",omitempty"`
}

// A Part is bytes or an object.
type Part struct {
	// Bytes is a number of bytes of a fixed pattern. It only counts if this is the
	// transaction's only part.
	Bytes int `json:",omitempty"`
	// Words are 32-bit numbers that precede the object.
	Words []uint32 `json:",omitempty"`

	// The remaining fields describe an object; there is none if Type is 0. Binder
	// is the number of descriptors in an FDA, and unused in a PTR.
	Type   uint32 `json:",omitempty"`
	Flags  uint32 `json:",omitempty"`
	Binder uint64 `json:",omitempty"`
	Cookie uint64 `json:",omitempty"`

	// Content is what a PTR points to, in 32-bit numbers. Length, if not 0, replaces
	// its size.
	Content []uint32 `json:",omitempty"`
	Length  uint64   `json:",omitempty"`
	// Parent and ParentOffset are the fields of a PTR or an FDA.
	Parent       uint64 `json:",omitempty"`
	ParentOffset uint64 `json:",omitempty"`

	// Cut is the number of bytes cut off the end of the object.
	Cut int `json:",omitempty"`
}

// NameIndex returns the index in DeviceNames of the device that the step opens.
func (s *Step) NameIndex() int { return int(s.Arg & 0xff % uint64(len(DeviceNames))) }

// WouldManage returns whether the step asks to become context manager.
func (s *Step) WouldManage() bool {
	request := uint32(s.Arg)
	return s.Op == Ioctl && (request == binder.BINDER_SET_CONTEXT_MGR || request == binder.BINDER_SET_CONTEXT_MGR_EXT)
}

// String returns the step in JSON, the form in which programs are stored.
func (s Step) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}
