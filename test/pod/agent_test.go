// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// agent is what this binary does in a container, instead of tests: the command in
// args. It prints a line for each thing that happens. A failure ends it.
func agent(args []string) {
	// Who has made a call is a thread, which Go would change in the middle of it.
	runtime.LockOSThread()
	switch args[0] {
	case "sleep":
		for {
			_ = unix.Pause()
		}
	case "ls":
		entries, err := os.ReadDir(args[1])
		check("reading "+args[1], err)
		for _, e := range entries {
			fmt.Println(e.Name())
		}
	case "add":
		add(args[1], args[2])
	case "serve":
		serve(args[1], args[2])
	case "call":
		call(args[1])
	default:
		panic("unknown command " + args[0])
	}
}

// add adds a device to the binderfs at dir.
func add(dir, name string) {
	fd, err := unix.Open(dir+"/binder-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open binder-control", err)
	var device binder.BinderfsDevice
	copy(device.Name[:], name)
	arg := make([]byte, device.SizeBytes())
	device.MarshalBytes(arg)
	(&client{fd: fd}).ioctl("BINDER_CTL_ADD", binder.BINDER_CTL_ADD, unsafe.Pointer(&arg[0]))
	fmt.Println("added", name)
}

func check(what string, err error) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

// client is an open device and its mapping.
type client struct {
	fd  int
	mem []byte
}

func open(path string) *client {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open "+path, err)
	mem, err := unix.Mmap(fd, 0, 128<<10, unix.PROT_READ, unix.MAP_PRIVATE)
	check("mmap", err)
	return &client{fd, mem}
}

func (c *client) ioctl(what string, request uintptr, arg unsafe.Pointer) {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(c.fd), request, uintptr(arg)); errno != 0 {
		check(what, errno)
	}
}

// kept is what the driver is told the addresses of: Go would move it if it were on
// a stack.
var kept struct {
	data, commands []byte
	read           [256]byte
}

// write writes commands.
func (c *client) write(cmds ...[]byte) {
	var all []byte
	for _, cmd := range cmds {
		all = append(all, cmd...)
	}
	kept.commands = all
	wr := binder.WriteRead{WriteSize: uint64(len(all)), WriteBuffer: uint64(uintptr(unsafe.Pointer(&all[0])))}
	c.ioctl("BINDER_WRITE_READ", binder.BINDER_WRITE_READ, unsafe.Pointer(&wr))
}

// await reads until it gets a message, or a failure.
func (c *client) await() (uint32, binder.TransactionData) {
	for {
		buf := kept.read[:]
		wr := binder.WriteRead{ReadSize: uint64(len(buf)), ReadBuffer: uint64(uintptr(unsafe.Pointer(&buf[0])))}
		c.ioctl("BINDER_WRITE_READ", binder.BINDER_WRITE_READ, unsafe.Pointer(&wr))
		for b := buf[:wr.ReadConsumed]; len(b) > 0; {
			br := binary.NativeEndian.Uint32(b)
			params := b[4 : 4+binder.CommandSize(br)]
			b = b[4+len(params):]
			switch br {
			case binder.BR_TRANSACTION, binder.BR_REPLY:
				var tr binder.TransactionData
				tr.UnmarshalBytes(params)
				return br, tr
			case binder.BR_DEAD_REPLY, binder.BR_FAILED_REPLY:
				return br, binder.TransactionData{}
			}
		}
	}
}

func transaction(bc uint32, data []byte) []byte {
	tr := binder.TransactionData{DataSize: uint64(len(data))}
	kept.data = data
	if len(data) > 0 {
		tr.Buffer = uint64(uintptr(unsafe.Pointer(&data[0])))
	}
	cmd := make([]byte, 4+binder.SizeOfTransactionData)
	binary.NativeEndian.PutUint32(cmd, bc)
	tr.MarshalBytes(cmd[4:])
	return cmd
}

// serve makes the process the context manager of a device, and answers each call
// with name.
func serve(device, name string) {
	// In binderfs, the devices are root's.
	_ = os.Chmod(device, 0666)
	c := open(device)
	c.ioctl("BINDER_SET_CONTEXT_MGR", binder.BINDER_SET_CONTEXT_MGR, nil)
	enter := make([]byte, 4)
	binary.NativeEndian.PutUint32(enter, binder.BC_ENTER_LOOPER)
	c.write(enter)
	fmt.Println("ready")
	answer := []byte(name)
	for {
		_, tr := c.await()
		fmt.Printf("call from pid %d uid %d\n", tr.SenderPID, int32(tr.SenderEUID))
		c.write(transaction(binder.BC_REPLY, answer))
	}
}

// call calls a device's context manager and says who answers.
func call(device string) {
	c := open(device)
	c.write(transaction(binder.BC_TRANSACTION, nil))
	switch br, tr := c.await(); br {
	case binder.BR_REPLY:
		answer := c.mem[tr.Buffer-uint64(uintptr(unsafe.Pointer(&c.mem[0]))):][:tr.DataSize]
		fmt.Printf("pid %d: answer from %s\n", os.Getpid(), answer)
	default:
		fmt.Println("nobody answers")
	}
}
