// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Command roundtrip measures how long a call to another process and its answer
// take: by Binder, by a Unix socket of packets, and by a pair of pipes. The ways
// take turns; the table has the median of the rounds, in microseconds, and the
// ratio to the socket. It needs a binder device that nobody manages.
//
//	roundtrip [-device /dev/binder] [-rounds 9] [-calls 5000] [-bytes 0]
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

var (
	device = flag.String("device", "/dev/binder", "binder device")
	rounds = flag.Int("rounds", 9, "rounds, each with all ways in turn")
	calls  = flag.Int("calls", 5000, "calls in a round")
	bytes  = flag.Int("bytes", 0, "payload of a call in bytes; the answer has as many")
	serve  = flag.String("serve", "", "answer calls that come by this way (internal)")
)

// A way of making calls. A client and a server are different processes, which
// share the files that open returns, from descriptor 3 on.
type way struct {
	name string

	// open returns the client's and the server's files.
	open func() (client, server []*os.File)

	// client returns a function that makes a call, server one that waits for a
	// call and answers it.
	client, server func(files []*os.File) func()
}

var ways = []way{
	{"binder", openNothing, binderClient, binderServer},
	{"unix seqpacket", openSocket, socketCaller, socketAnswerer},
	{"pipes", openPipes, pipeCaller, pipeAnswerer},
}

func main() {
	flag.Parse()
	// The scheduler of Go has no part in what is measured.
	runtime.LockOSThread()
	if *serve != "" {
		runServer()
		return
	}
	call := make([]func(), len(ways))
	for i, w := range ways {
		client, server := w.open()
		start(w, server)
		call[i] = w.client(client)
	}
	samples := make([][]time.Duration, len(ways))
	for round := -1; round < *rounds; round++ { // the first one warms up
		for i := range ways {
			begin := time.Now()
			for range *calls {
				call[i]()
			}
			if round >= 0 {
				samples[i] = append(samples[i], time.Since(begin)/time.Duration(*calls))
			}
		}
	}
	median := func(i int) float64 {
		slices.Sort(samples[i])
		return float64(samples[i][len(samples[i])/2].Nanoseconds()) / 1e3
	}
	fmt.Printf("| round trip, %d bytes | µs | of the socket's |\n| --- | ---: | ---: |\n", *bytes)
	for i, w := range ways {
		fmt.Printf("| %s | %.1f | %.2f |\n", w.name, median(i), median(i)/median(1))
	}
}

// start starts the server of w, which ends with this process.
func start(w way, files []*os.File) {
	cmd := exec.Command("/proc/self/exe", append(os.Args[1:], "-serve", w.name)...)
	ready, signal, err := os.Pipe()
	peer.Check(err)
	cmd.ExtraFiles = append([]*os.File{signal}, files...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	peer.Check(cmd.Start())
	signal.Close()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		peer.Fail("the server of %s did not start: %v", w.name, err)
	}
}

func runServer() {
	i := slices.IndexFunc(ways, func(w way) bool { return w.name == *serve })
	if i < 0 {
		peer.Fail("no way is called %q", *serve)
	}
	var files []*os.File
	for fd := uintptr(4); ; fd++ {
		if _, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil {
			break
		}
		files = append(files, os.NewFile(fd, ""))
	}
	answer := ways[i].server(files)
	_, err := os.NewFile(3, "ready").Write([]byte{0})
	peer.Check(err)
	for {
		answer()
	}
}
