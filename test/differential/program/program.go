// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package program holds what a differential test runs: steps of several
// processes and threads, one after the other.
//
// A program is data. All that it does is concrete, so that it can be cut down,
// kept, and played again; only what is known when it runs, such as the address of
// a buffer that was received, is named by its place in the order of such things.
// A name of something that is not there stands for an address or a descriptor that
// means nothing, so that each part of a program is a program.
package program

import (
	"encoding/json"

	"sentrybinder/pkg/abi/binder"
)

// A Program is a sequence of steps.
type Program struct {
	// Name is where the program came from.
	Name  string
	Steps []Step
}

// Sizes of a program's world.
const (
	// Processes is the number of processes that there are at the start;
	// MaxProcesses is the number that there can be with those that fork.
	Processes    = 4
	MaxProcesses = 6

	// Threads is the number of threads of each of the first. Those that are
	// forked have one.
	Threads = 3

	// Devices is the number of open devices that a process knows by index.
	Devices = 2

	// Files is the number of ordinary files that each process has open. The last
	// one is open as O_PATH.
	Files = 4
)

// FirstFile is the descriptor of the first of a process's files, and FirstFree the
// one that it opens first.
const (
	FirstFile = 3
	FirstFree = FirstFile + Files
)

// A Step is something that one thread does, or that is done to it.
type Step struct {
	Op Op

	// P is the process, T the thread's index in it.
	P, T int

	// Device is the index of the open device that it's done with.
	Device int `json:",omitempty"`

	// Arg is a parameter of the operation.
	Arg uint64 `json:",omitempty"`

	// The rest is for WriteRead. The size of the write buffer is that of the
	// commands, plus Excess.
	Write  []Command `json:",omitempty"`
	Excess int       `json:",omitempty"`
	// ReadSize is the size of the read buffer. There's none if it's 0.
	ReadSize int `json:",omitempty"`
	// WriteConsumed and ReadConsumed are what the counts say beforehand.
	WriteConsumed int   `json:",omitempty"`
	ReadConsumed  int   `json:",omitempty"`
	Fault         Fault `json:",omitempty"`
}

// An Op is what a Step does.
type Op string

// Operations.
const (
	Open      Op = "open"       // Arg: the device's name, see DeviceNames, and flags above
	Close     Op = "close"      //
	Mmap      Op = "mmap"       // Arg: size, and protection above
	Munmap    Op = "munmap"     // Arg: the size of what goes, from the start; 0 for all
	Move      Op = "move"       // Arg: the mapping's new size, as it moves elsewhere
	Peek      Op = "peek"       // Arg: a place in the mapping
	WriteRead Op = "write-read" //
	Ioctl     Op = "ioctl"      // Arg: request, and the 32-bit argument above
	Poll      Op = "poll"       //
	Epoll     Op = "epoll"      // Arg: flags of an epoll instance's interest, if the device is new to it
	NonBlock  Op = "nonblock"   // Arg: whether
	DupClose  Op = "dup-close"  //
	Fork      Op = "fork"       //
	Exit      Op = "exit"       //
	Kill      Op = "kill"       //
	Signal    Op = "signal"     //
	SetUser   Op = "set-user"   // Arg: the user
	FileLimit Op = "file-limit" // Arg: RLIMIT_NOFILE
	CloseFile Op = "close-file" // Arg: any descriptor
	Nice      Op = "nice"       // Arg: the thread's new nice value, plus 20; more than that for none
	Freeze    Op = "freeze"     // Arg: the process to freeze, whether above, and a time-out in ms above that
	Frozen    Op = "frozen"     // Arg: the process
	NodeInfo  Op = "node-info"  // Arg: a handle, and what's in the field behind it above
	NodeDebug Op = "node-debug" // Arg: a node's address
	LastError Op = "last-error" //
	Log       Op = "log"        // Arg: the log's name, see LogNames, and the process above if it's "proc"
)

// DeviceNames are the devices, by index.
var DeviceNames = [...]string{"binder", "hwbinder", "vndbinder"}

// LogNames are the files in binder_logs, by index; of the directory proc, a
// process's file.
var LogNames = []string{"transactions", "transactions_hashed", "state_hashed", "transaction_log", "failed_transaction_log", "proc"}

// A Fault says which memory of a call is not as it should be. Calls other than
// WriteRead know the first two.
type Fault int

// Faults.
const (
	NoFault     Fault = iota
	ArgFault          // there's no argument
	ArgReadOnly       // the argument can't be written
	WriteFault        // there's no write buffer
	WriteEdge         // the write buffer has no last word
	ReadFault         // there's no read buffer
	ReadEdge          // of the read buffer, there are just 8 bytes
)

// A Command is a command to the driver. Its code says which fields it uses.
type Command struct {
	Code   uint32
	Handle uint32 `json:",omitempty"`
	Ptr    uint64 `json:",omitempty"`
	Cookie uint64 `json:",omitempty"`
	// Message is the number of the message, among those that the process has
	// received, whose buffer is meant; Delta is added to its address.
	Message     int          `json:",omitempty"`
	Delta       int64        `json:",omitempty"`
	Transaction *Transaction `json:",omitempty"`
}

// A Transaction is what a transaction or reply has in addition to Handle.
type Transaction struct {
	Code, Flags uint32
	Parts       []Part `json:",omitempty"`

	// Offsets, if it's not nil, takes the place of the objects' offsets.
	Offsets []uint64 `json:",omitempty"`
	// These are added to the sizes, and set what they are said to be.
	DataExcess    int64 `json:",omitempty"`
	OffsetsExcess int64 `json:",omitempty"`
	Extra         int64 `json:",omitempty"` // the size of buffers, for _SG

	// Fault is whether the data can't be read.
	DataFault    bool `json:",omitempty"`
	OffsetsFault bool `json:",omitempty"`
}

// A Part is bytes or an object.
type Part struct {
	// Bytes is a number of bytes of a pattern, Words are 32-bit numbers.
	Bytes int      `json:",omitempty"`
	Words []uint32 `json:",omitempty"`

	// The rest is an object's. There's none if Type is 0. Binder is the number of
	// files in an FDA, and nothing in a PTR.
	Type   uint32 `json:",omitempty"`
	Flags  uint32 `json:",omitempty"`
	Binder uint64 `json:",omitempty"`
	Cookie uint64 `json:",omitempty"`

	// Content is what a PTR points to, in 32-bit numbers, and Length the size that
	// it's said to have, if that's another.
	Content []uint32 `json:",omitempty"`
	Length  uint64   `json:",omitempty"`
	// Parent and ParentOffset are those of a PTR or an FDA.
	Parent       uint64 `json:",omitempty"`
	ParentOffset uint64 `json:",omitempty"`

	// Cut is the number of bytes that are missing at the end of an object.
	Cut int `json:",omitempty"`
}

// NameIndex returns the index in DeviceNames of the device that the step opens.
func (s *Step) NameIndex() int { return int(s.Arg & 0xff % uint64(len(DeviceNames))) }

// WouldManage returns whether the step asks to become a context manager.
func (s *Step) WouldManage() bool {
	request := uint32(s.Arg)
	return s.Op == Ioctl && (request == binder.BINDER_SET_CONTEXT_MGR || request == binder.BINDER_SET_CONTEXT_MGR_EXT)
}

// String returns the step in the form in which it's kept.
func (s Step) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}
