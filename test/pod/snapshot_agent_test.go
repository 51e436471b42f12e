// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// sandboxReport is what a service knows about the sandbox in which it runs.
type sandboxReport struct {
	// Events are the properties of the uevents that it received.
	Events []map[string]string

	// Outcomes are the lines that it read from /proc/gvisor/checkpoint.
	Outcomes []string

	// Random is what getrandom(2) returned for this report, and Urandom what it read from
	// /dev/urandom.
	Random, Urandom []byte

	BootID string

	// Monotonic, BootTime and Realtime are clocks, in nanoseconds.
	Monotonic, BootTime, Realtime int64
}

// serveClone is serve, answering with a report.
func serveClone(device string) {
	var mu sync.Mutex
	var r sandboxReport
	// As in Android's libcutils: the kernel's events have it as their sender, and a
	// group.
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	check("socket", err)
	check("SO_PASSCRED", unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	check("bind", unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 0xffffffff}))
	go func() {
		for {
			event := readEvent(s)
			mu.Lock()
			r.Events = append(r.Events, event)
			mu.Unlock()
		}
	}()
	go func() {
		for {
			line := readOutcome()
			mu.Lock()
			r.Outcomes = append(r.Outcomes, line)
			mu.Unlock()
		}
	}()

	c := manage(device)
	for {
		c.await()
		mu.Lock()
		r.fill()
		answer, err := json.Marshal(r)
		mu.Unlock()
		check("marshalling", err)
		c.write(transaction(binder.BC_REPLY, answer))
	}
}

// readEvent waits for a uevent from the kernel.
func readEvent(s int) map[string]string {
	buf, control := make([]byte, 8192), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, nc, _, from, err := unix.Recvmsg(s, buf, control, 0)
		if err == unix.EINTR {
			continue
		}
		check("recvmsg", err)
		sender := from.(*unix.SockaddrNetlink)
		messages, err := unix.ParseSocketControlMessage(control[:nc])
		check("control messages", err)
		if sender.Pid != 0 || sender.Groups != 1 || len(messages) != 1 {
			check("a uevent", fmt.Errorf("sender %+v, %d control messages", sender, len(messages)))
		}
		creds, err := unix.ParseUnixCredentials(&messages[0])
		check("credentials", err)
		header, properties, _ := strings.Cut(string(buf[:n]), "\x00")
		event := map[string]string{"header": header, "uid": fmt.Sprint(creds.Uid)}
		for _, p := range strings.Split(strings.TrimSuffix(properties, "\x00"), "\x00") {
			name, value, _ := strings.Cut(p, "=")
			event[name] = value
		}
		return event
	}
}

// readOutcome waits for a checkpoint, and returns what became of the checkpointed
// process.
func readOutcome() string {
	const path = "/proc/gvisor/checkpoint"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check("open "+path, err)
	defer unix.Close(fd)
	buf := make([]byte, 64)
	for {
		n, err := unix.Read(fd, buf)
		if err != unix.EINTR {
			check("read "+path, err)
			return strings.TrimSpace(string(buf[:n]))
		}
	}
}

// fill reads what is available without waiting.
func (r *sandboxReport) fill() {
	r.Random, r.Urandom = make([]byte, 16), make([]byte, 16)
	_, err := rand.Read(r.Random)
	check("getrandom", err)
	f, err := os.Open("/dev/urandom")
	check("open /dev/urandom", err)
	defer f.Close()
	_, err = f.Read(r.Urandom)
	check("read /dev/urandom", err)
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	check("read boot_id", err)
	r.BootID = strings.TrimSpace(string(id))
	for clock, ns := range map[int32]*int64{
		unix.CLOCK_MONOTONIC: &r.Monotonic, unix.CLOCK_BOOTTIME: &r.BootTime, unix.CLOCK_REALTIME: &r.Realtime,
	} {
		var ts unix.Timespec
		check("clock_gettime", unix.ClockGettime(clock, &ts))
		*ns = ts.Nano()
	}
}

// ask prints what a device's context manager answers.
func ask(device string) {
	c := open(device)
	c.write(transaction(binder.BC_TRANSACTION, nil))
	br, tr := c.await()
	if br != binder.BR_REPLY {
		fmt.Println("nobody answers")
		os.Exit(1)
	}
	_, err := os.Stdout.Write(c.at(tr.Buffer)[:tr.DataSize])
	check("writing", err)
}
