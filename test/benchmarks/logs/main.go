// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Command logs measures how long a call takes while somebody reads a log of the
// driver, with many processes and nodes to be told of, beside the same call while
// nobody does. It needs a binder device that nobody manages, and a binderfs that
// is mounted with stats=global, or the right to mount one.
//
//	logs [-device /dev/binder] [-log state] [-processes 1000] [-nodes 100000] [-calls 20000]
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

var (
	device    = flag.String("device", "/dev/binder", "binder device")
	logs      = flag.String("logs", "", "directory binder_logs; if empty, that of a new binderfs")
	log       = flag.String("log", "state", "the log to read")
	processes = flag.Int("processes", 1000, "processes, beside the two that call each other")
	nodes     = flag.Int("nodes", 100000, "nodes of all processes, to each of which the manager has a reference")
	calls     = flag.Int("calls", 20000, "calls without, and calls with a reader")
	role      = flag.String("role", "", "manager, crowd or reader (internal)")
)

func main() {
	flag.Parse()
	// The scheduler of Go has no part in what is measured.
	runtime.LockOSThread()
	switch *role {
	case "manager":
		manage()
	case "crowd":
		crowd()
	case "reader":
		read()
	default:
		measure()
	}
}

func measure() {
	if *logs == "" {
		dir, err := os.MkdirTemp("", "binderfs")
		peer.Check(err)
		peer.Check(unix.Mount("binder", dir, "binder", 0, "stats=global"))
		defer os.Remove(dir)
		defer unix.Unmount(dir, unix.MNT_DETACH)
		*logs = filepath.Join(dir, "binder_logs")
	}
	start("manager")
	start("crowd")
	client := peer.Open(*device)
	quiet := callMany(client, func() bool { return false })

	reader, output := start("reader")
	done := make(chan string)
	go func() {
		b := make([]byte, 256)
		n, _ := output.Read(b)
		done <- string(b[:n])
	}()
	var report string
	loud := callMany(client, func() bool {
		select {
		case report = <-done:
			return false
		default:
			return true
		}
	})
	if report == "" {
		report = <-done
	}
	reader.Process.Kill()

	fmt.Printf("| call, %d processes, %d nodes | median µs | 99 %% µs | longest µs | over twice the median |\n", *processes, *nodes)
	fmt.Printf("| --- | ---: | ---: | ---: | ---: |\n")
	row("nobody reads "+*log, quiet, quiet)
	row("somebody reads "+*log, loud, quiet)
	fmt.Printf("\nThe median is %.2f times as long. The reader: %s\n", float64(median(loud))/float64(median(quiet)), strings.TrimSpace(report))
}

// callMany calls the manager, as often as is asked for and on while more says so,
// and returns how long each call took, in order.
func callMany(p *peer.Process, more func() bool) []time.Duration {
	var took []time.Duration
	var answer uint64
	for len(took) < *calls || more() {
		commands := p.Commands()
		if answer != 0 {
			commands = peer.Command(commands, binder.BC_FREE_BUFFER, answer)
		}
		begin := time.Now()
		answer = p.Exchange(peer.Transaction(commands, binder.BC_TRANSACTION, nil, nil), binder.BR_REPLY, nil).Buffer
		took = append(took, time.Since(begin))
	}
	p.Write(peer.Command(p.Commands(), binder.BC_FREE_BUFFER, answer))
	slices.Sort(took)
	return took
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

func row(name string, sorted, quiet []time.Duration) {
	µs := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	slow, _ := slices.BinarySearch(sorted, 2*median(quiet)+1)
	fmt.Printf("| %s | %.1f | %.1f | %.1f | %.2f %% |\n", name,
		µs(median(sorted)), µs(sorted[len(sorted)*99/100]), µs(sorted[len(sorted)-1]),
		100*float64(len(sorted)-slow)/float64(len(sorted)))
}

// start starts this program in a role, and returns once it's ready, with what it
// says after that. It ends with this process.
func start(role string) (*exec.Cmd, *os.File) {
	cmd := exec.Command("/proc/self/exe", append(os.Args[1:], "-role", role, "-logs", *logs)...)
	output, signal, err := os.Pipe()
	peer.Check(err)
	cmd.ExtraFiles = []*os.File{signal}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	peer.Check(cmd.Start())
	signal.Close()
	if _, err := output.Read(make([]byte, 1)); err != nil {
		peer.Fail("the %s did not start: %v", role, err)
	}
	return cmd, output
}

// say tells the process that has started this one.
func say(s string) {
	_, err := unix.Write(3, []byte(s))
	peer.Check(err)
}

// wait waits until the process is killed.
func wait() {
	for {
		unix.Pause()
	}
}

// manage answers calls, and keeps references to the nodes in them.
func manage() {
	p := peer.Open(*device)
	p.BecomeManager()
	say(".")
	commands := peer.Command(p.Commands(), binder.BC_ENTER_LOOPER)
	for {
		call := p.Exchange(commands, binder.BR_TRANSACTION, nil)
		commands = p.Commands()
		for data := p.Data(call); len(data) != 0; data = data[binder.SizeOfFlatObject:] {
			var o binder.FlatObject
			o.UnmarshalBytes(data)
			commands = peer.HandleCommand(commands, binder.BC_ACQUIRE, uint32(o.Binder))
		}
		commands = peer.Command(commands, binder.BC_FREE_BUFFER, call.Buffer)
		commands = peer.Transaction(commands, binder.BC_REPLY, nil, nil)
	}
}

// nodesAtOnce is the number of nodes in a call.
const nodesAtOnce = 100

// crowd is all processes that have nodes and do nothing.
func crowd() {
	limit := unix.Rlimit{Cur: uint64(*processes) + 100, Max: uint64(*processes) + 100}
	peer.Check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	for i := range *processes {
		p := peer.Open(*device)
		own := *nodes / *processes
		if i < *nodes%*processes {
			own++
		}
		for own > 0 {
			n := min(own, nodesAtOnce)
			offer(p, own, n)
			own -= n
		}
	}
	say(".")
	wait()
}

// offer sends the manager n nodes, the first of which is at address first.
func offer(p *peer.Process, first, n int) {
	data := make([]byte, n*binder.SizeOfFlatObject)
	offsets := make([]uint64, n)
	for i := range offsets {
		offsets[i] = uint64(i * binder.SizeOfFlatObject)
		o := binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Binder: uint64(first-i) << 4, Cookie: uint64(i)}
		o.MarshalBytes(data[offsets[i]:])
	}
	// The driver is told that the process knows of the references.
	var known []byte
	done := map[uint32]uint32{binder.BR_INCREFS: binder.BC_INCREFS_DONE, binder.BR_ACQUIRE: binder.BC_ACQUIRE_DONE}
	answer := p.Exchange(peer.Transaction(p.Commands(), binder.BC_TRANSACTION, data, offsets), binder.BR_REPLY, func(br uint32, params []byte) {
		cmd, ok := done[br]
		if !ok {
			peer.Fail("unexpected return %#x", br)
		}
		var node binder.PtrCookie
		node.UnmarshalBytes(params)
		known = peer.Command(known, cmd, node.Ptr, node.Cookie)
	})
	runtime.KeepAlive(unsafe.SliceData(data))
	p.Write(peer.Command(known, binder.BC_FREE_BUFFER, answer.Buffer))
}

// readings is how often the reader reads the log.
const readings = 5

// read reads the log and says how long it takes.
func read() {
	say(".")
	var took []time.Duration
	size := 0
	for range readings {
		begin := time.Now()
		text, err := os.ReadFile(filepath.Join(*logs, *log))
		peer.Check(err)
		took = append(took, time.Since(begin))
		size = len(text)
	}
	slices.Sort(took)
	say(strconv.Itoa(size) + " bytes in " + median(took).String())
	wait()
}
