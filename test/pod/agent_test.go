// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// agent runs the command in args, in a container in place of tests. It prints a line for
// each thing that happens. A failure ends it.
func agent(args []string) {
	// The caller is a thread, which Go would otherwise change in the middle of a call.
	runtime.LockOSThread()
	switch args[0] {
	case "sleep":
		for {
			_ = unix.Pause()
		}
	case "spin":
		for {
		}
	case "freeze-spinner":
		freezeSpinner()
	case "write":
		write(args[1], args[2])
	case "ls":
		entries, err := os.ReadDir(args[1])
		check("reading "+args[1], err)
		for _, e := range entries {
			fmt.Println(e.Name())
		}
	case "cat":
		text, err := os.ReadFile(args[1])
		check("reading "+args[1], err)
		_, err = os.Stdout.Write(text)
		check("writing", err)
	case "keep":
		keep()
	case "kept":
		showKept()
	case "set":
		set(args[1], args[2])
	case "as":
		// The label applies to the next program: this one, which gets the remaining
		// arguments.
		check("setting the label", os.WriteFile("/proc/thread-self/attr/exec", []byte(args[1]), 0))
		check("exec", unix.Exec("/proc/self/exe", append([]string{"agent"}, args[2:]...), os.Environ()))
	case "stat":
		var st unix.Stat_t
		check("stat "+args[1], unix.Stat(args[1], &st))
		fmt.Println(st.Rdev)
	case "file":
		showFile(args[1])
	case "chmod":
		check("chmod "+args[1], os.Chmod(args[1], 0666))
	case "add":
		check("BINDER_CTL_ADD", add(args[1], args[2]))
		fmt.Println("added", args[2])
	case "fill":
		fill(args[1])
	case "freeze":
		freeze(open(args[1]), args[2], numbers(args[3:]))
	case "info":
		info(args[1], numbers(args[2:]))
	case "press":
		press()
	case "field":
		fmt.Println(field(args[1], args[2]))
	case "audit":
		audit(args[1])
	case "log":
		kernelLog(args[1], args[2:])
	case "listen":
		listen(os.Stdout)
	case "record":
		f, err := os.Create(recorded)
		check("creating "+recorded, err)
		listen(f)
	case "fail":
		fail(args[1])
	case "release":
		var uts unix.Utsname
		check("uname", unix.Uname(&uts))
		fmt.Println(unix.ByteSliceToString(uts.Release[:]))
	case "pid":
		fmt.Println(os.Getpid())
	case "serve":
		serve(args[1], args[2])
	case "create":
		check("creating "+args[1], os.WriteFile(args[1], nil, 0666))
	case "clone":
		serveClone(args[1])
	case "blocked":
		serveBlocked(args[1])
	case "ask":
		ask(args[1])
	case "curious":
		serveCurious(args[1])
	case "give":
		give(args[1], args[2])
	case "take":
		freeze(take(args[1]), "1", numbers(args[2:]))
	case "hold":
		hold(args[1])
	case "flood":
		flood(args[1])
	case "circle":
		circle(args[1])
	case "send":
		send(open(args[1]), 3)
	case "stop":
		c := open(args[1])
		c.write(transaction(binder.BC_TRANSACTION, nil))
		c.await()
	case "call":
		call(args[1])
	case "refused":
		refused(args[1])
	case "keep-ashmem":
		keepAshmem()
	case "purge-ashmem":
		purgeAshmem()
	case "unpin-ashmem":
		unpinAshmem()
	case "memfd-ashmem":
		memfdAshmem()
	default:
		panic("unknown command " + args[0])
	}
}

// add adds a device to the binderfs at dir.
func add(dir, name string) error {
	fd, err := unix.Open(dir+"/binder-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open binder-control", err)
	defer unix.Close(fd)
	var device binder.BinderfsDevice
	copy(device.Name[:], name)
	arg := make([]byte, device.SizeBytes())
	device.MarshalBytes(arg)
	return (&client{fd: fd}).tryIoctl(binder.BINDER_CTL_ADD, unsafe.Pointer(&arg[0]))
}

// fill adds devices to the binderfs at dir until there is no room for more.
func fill(dir string) {
	for i := 0; ; i++ {
		if err := add(dir, fmt.Sprint("more-", i)); err != nil {
			fmt.Printf("after %d: %v\n", i, err)
			return
		}
	}
}

// numbers returns the range in args: the first and the last number.
func numbers(args []string) (list []uint32) {
	first, err := strconv.Atoi(args[0])
	check("first", err)
	last, err := strconv.Atoi(args[len(args)-1])
	check("last", err)
	for n := first; n <= last; n++ {
		list = append(list, uint32(n))
	}
	return list
}

// freeze tries to freeze or thaw processes through a device, and prints which exist.
func freeze(c *client, enable string, pids []uint32) {
	for _, pid := range pids {
		arg := binder.FreezeInfo{PID: pid}
		if enable == "1" {
			arg.Enable = 1
		}
		if err := c.tryIoctl(binder.BINDER_FREEZE, unsafe.Pointer(&arg)); err != unix.EINVAL {
			fmt.Printf("%d: %v\n", pid, err)
		}
	}
}

// info asks whether processes are frozen, and prints which exist.
func info(device string, pids []uint32) {
	c := open(device)
	for _, pid := range pids {
		arg := binder.FrozenStatusInfo{PID: pid}
		if err := c.tryIoctl(binder.BINDER_GET_FROZEN_INFO, unsafe.Pointer(&arg)); err != unix.EINVAL {
			fmt.Printf("%d: %v\n", pid, err)
		}
	}
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
	check(what, c.tryIoctl(request, arg))
}

func (c *client) tryIoctl(request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(c.fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// kept holds what the driver gets the addresses of: Go could move a stack.
var kept struct {
	data, offsets, commands []byte
	read                    [256]byte
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

// await reads until it gets a message or a failure.
func (c *client) await() (uint32, binder.TransactionData) {
	br, tr := c.awaitLabelled()
	return br, tr.TransactionData
}

// awaitLabelled is await for messages that may have a security context.
func (c *client) awaitLabelled() (uint32, binder.TransactionDataSecctx) {
	for {
		buf := kept.read[:]
		wr := binder.WriteRead{ReadSize: uint64(len(buf)), ReadBuffer: uint64(uintptr(unsafe.Pointer(&buf[0])))}
		err := c.tryIoctl(binder.BINDER_WRITE_READ, unsafe.Pointer(&wr))
		if err == unix.EINTR {
			continue // Go sends signals to its own threads.
		}
		check("BINDER_WRITE_READ", err)
		for b := buf[:wr.ReadConsumed]; len(b) > 0; {
			br := binary.NativeEndian.Uint32(b)
			params := b[4 : 4+binder.CommandSize(br)]
			b = b[4+len(params):]
			switch br {
			case binder.BR_TRANSACTION, binder.BR_REPLY:
				var tr binder.TransactionDataSecctx
				tr.TransactionData.UnmarshalBytes(params)
				return br, tr
			case binder.BR_TRANSACTION_SEC_CTX:
				var tr binder.TransactionDataSecctx
				tr.UnmarshalBytes(params)
				return br, tr
			case binder.BR_DEAD_REPLY, binder.BR_FAILED_REPLY, binder.BR_FROZEN_REPLY:
				return br, binder.TransactionDataSecctx{}
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

// fileTransaction returns a transaction with a file and with flags.
func fileTransaction(bc, flags, fd uint32) []byte {
	object := binder.FDObject{Type: binder.BINDER_TYPE_FD, FD: fd}
	data := make([]byte, object.SizeBytes())
	object.MarshalBytes(data)
	cmd := transaction(bc, data)
	kept.offsets = make([]byte, 8)
	var tr binder.TransactionData
	tr.UnmarshalBytes(cmd[4:])
	tr.Flags = flags
	tr.OffsetsSize, tr.Offsets = 8, uint64(uintptr(unsafe.Pointer(&kept.offsets[0])))
	tr.MarshalBytes(cmd[4:])
	return cmd
}

// manage makes the process the context manager of a device, and its thread a looper.
func manage(device string) *client {
	// In binderfs, only root may open the devices.
	_ = os.Chmod(device, 0666)
	c := open(device)
	c.ioctl("BINDER_SET_CONTEXT_MGR", binder.BINDER_SET_CONTEXT_MGR, nil)
	enter := make([]byte, 4)
	binary.NativeEndian.PutUint32(enter, binder.BC_ENTER_LOOPER)
	c.write(enter)
	fmt.Println("ready")
	return c
}

// serve makes the process the context manager of a device, and answers each call with
// name.
func serve(device, name string) {
	c := manage(device)
	answer := []byte(name)
	for {
		_, tr := c.await()
		fmt.Printf("call from pid %d uid %d\n", tr.SenderPID, int32(tr.SenderEUID))
		c.write(transaction(binder.BC_REPLY, answer))
	}
}

// give is serve, answering with a file.
func give(device, path string) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open "+path, err)
	c := manage(device)
	for {
		c.await()
		c.write(fileTransaction(binder.BC_REPLY, 0, uint32(fd)))
	}
}

// circle sends an open device to itself, and leaves it in flight.
func circle(device string) {
	c := open(device)
	object := binder.FlatObject{Flags: binder.FLAT_BINDER_FLAG_ACCEPTS_FDS}
	c.ioctl("BINDER_SET_CONTEXT_MGR_EXT", binder.BINDER_SET_CONTEXT_MGR_EXT, unsafe.Pointer(&object))
	// It can't be its own client.
	cmd := exec.Command("/proc/self/exe", "send", device)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(c.fd), device)}
	check("sending", cmd.Run())
}

// send sends a file to the context manager.
func send(c *client, fd uint32) {
	c.write(fileTransaction(binder.BC_TRANSACTION, binder.TF_ONE_WAY, fd))
	fmt.Println("sent")
}

// take calls a server that gives, and returns the file it gets.
func take(device string) *client {
	c := open(device)
	call := transaction(binder.BC_TRANSACTION, nil)
	var tr binder.TransactionData
	tr.UnmarshalBytes(call[4:])
	tr.Flags = binder.TF_ACCEPT_FDS
	tr.MarshalBytes(call[4:])
	c.write(call)
	br, tr := c.await()
	if br != binder.BR_REPLY {
		fmt.Println("nobody gives")
		os.Exit(1)
	}
	var object binder.FDObject
	object.UnmarshalBytes(c.at(tr.Buffer))
	return &client{fd: int(object.FD)}
}

// serveCurious is serve, asking for callers' security contexts.
func serveCurious(device string) {
	_ = os.Chmod(device, 0666)
	c := open(device)
	var object binder.FlatObject
	object.Flags = binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX
	c.ioctl("BINDER_SET_CONTEXT_MGR_EXT", binder.BINDER_SET_CONTEXT_MGR_EXT, unsafe.Pointer(&object))
	enter := make([]byte, 4)
	binary.NativeEndian.PutUint32(enter, binder.BC_ENTER_LOOPER)
	c.write(enter)
	fmt.Println("ready")
	for {
		_, tr := c.awaitLabelled()
		label, _, _ := bytes.Cut(c.at(tr.Secctx), []byte{0})
		fmt.Printf("call from %s\n", label)
		c.write(transaction(binder.BC_REPLY, []byte("curious")))
	}
}

// nodesAtOnce is the number of nodes that flood sends with each call.
const nodesAtOnce = 1000

// hold is serve, keeping a reference to each node that it receives. It ends when a call
// holds none.
func hold(device string) {
	c := manage(device)
	for {
		br, tr := c.await()
		if br != binder.BR_TRANSACTION {
			continue
		}
		if tr.OffsetsSize == 0 {
			return
		}
		var cmds []byte
		for i := range tr.OffsetsSize / 8 {
			var o binder.FlatObject
			o.UnmarshalBytes(c.at(tr.Buffer + i*binder.SizeOfFlatObject))
			cmds = binary.NativeEndian.AppendUint32(cmds, binder.BC_ACQUIRE)
			cmds = binary.NativeEndian.AppendUint32(cmds, uint32(o.Binder))
		}
		cmds = binary.NativeEndian.AppendUint32(cmds, binder.BC_FREE_BUFFER)
		cmds = binary.NativeEndian.AppendUint64(cmds, tr.Buffer)
		c.write(cmds, transaction(binder.BC_REPLY, nil))
	}
}

// flood sends more and more nodes to a server that holds them until it fails, and prints
// why.
func flood(device string) {
	c := open(device)
	objects := make([]byte, nodesAtOnce*binder.SizeOfFlatObject)
	kept.offsets = make([]byte, nodesAtOnce*8)
	for sent := uint64(0); ; sent += nodesAtOnce {
		for i := range uint64(nodesAtOnce) {
			o := binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Binder: (sent + i + 1) * 8}
			o.MarshalBytes(objects[i*binder.SizeOfFlatObject:])
			binary.NativeEndian.PutUint64(kept.offsets[i*8:], i*binder.SizeOfFlatObject)
		}
		call := transaction(binder.BC_TRANSACTION, objects)
		var tr binder.TransactionData
		tr.UnmarshalBytes(call[4:])
		tr.OffsetsSize, tr.Offsets = uint64(len(kept.offsets)), uint64(uintptr(unsafe.Pointer(&kept.offsets[0])))
		tr.MarshalBytes(call[4:])
		c.write(call)
		br, tr := c.await()
		if br == binder.BR_REPLY {
			free := binary.NativeEndian.AppendUint32(nil, binder.BC_FREE_BUFFER)
			c.write(binary.NativeEndian.AppendUint64(free, tr.Buffer))
			continue
		}
		var e binder.ExtendedError
		c.ioctl("BINDER_GET_EXTENDED_ERROR", binder.BINDER_GET_EXTENDED_ERROR, unsafe.Pointer(&e))
		fmt.Printf("after %d nodes: %v\n", sent, unix.Errno(-e.Param))
		return
	}
}

// at returns the contents of the mapping from an address on.
func (c *client) at(addr uint64) []byte {
	return c.mem[addr-uint64(uintptr(unsafe.Pointer(&c.mem[0]))):]
}

// call calls a device's context manager and prints who answers.
func call(device string) {
	c := open(device)
	c.write(transaction(binder.BC_TRANSACTION, nil))
	switch br, tr := c.await(); br {
	case binder.BR_REPLY:
		fmt.Printf("pid %d: answer from %s\n", os.Getpid(), c.at(tr.Buffer)[:tr.DataSize])
	case binder.BR_FROZEN_REPLY:
		fmt.Println("the server is frozen")
	default:
		fmt.Println("nobody answers")
	}
}
