// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// process is one that a benchmark started.
type process struct {
	cmd    *exec.Cmd
	output *os.File
}

// firstFile is the descriptor of the first file that a process is passed. The one
// before it is the pipe on which the process says that it is ready.
const firstFile = 4

// start starts this program in a role, with more flags, and returns once it is
// ready. It dies with this process.
func start(role string, files []*os.File, flags ...string) *process {
	args := append(append([]string{}, os.Args[1:len(os.Args)-1]...), "-role="+role, fmt.Sprint("-given=", len(files)))
	args = append(append(args, flags...), flag.Arg(0))
	cmd := exec.Command("/proc/self/exe", args...)
	output, signal, err := os.Pipe()
	peer.Check(err)
	cmd.ExtraFiles = append([]*os.File{signal}, files...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	peer.Check(cmd.Start())
	signal.Close()
	if _, err := output.Read(make([]byte, 1)); err != nil {
		peer.Fail("%s did not start: %v", role, err)
	}
	return &process{cmd, output}
}

// stop kills the process.
func (p *process) stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.output.Close()
}

// finish waits until the process has ended, and kills it if that takes too long.
func (p *process) finish(limit time.Duration) {
	end := time.AfterFunc(limit, func() { p.cmd.Process.Kill() })
	p.cmd.Wait()
	end.Stop()
	p.output.Close()
}

// result reads a value that the process reports.
func (p *process) result(v any) { peer.Check(json.NewDecoder(p.output).Decode(v)) }

// ready tells the process that started this one that it is ready.
func ready() {
	_, err := unix.Write(3, []byte{'.'})
	peer.Check(err)
}

// report sends v to the process that started this one.
func report(v any) {
	b, err := json.Marshal(v)
	peer.Check(err)
	_, err = unix.Write(3, append(b, '\n'))
	peer.Check(err)
}

// file returns the i-th file that this process was passed.
func file(i int) *os.File { return os.NewFile(uintptr(firstFile+i), "") }

// rest waits to be killed.
func rest() {
	for {
		time.Sleep(time.Hour)
	}
}

// gate holds processes back until all are ready.
type gate struct{ in, out *os.File }

func newGate() gate {
	out, in, err := os.Pipe()
	peer.Check(err)
	return gate{in, out}
}

// open lets them go.
func (g gate) open() {
	g.in.Close()
	g.out.Close()
}

// await waits for the gate, whose file this process was passed.
func await(f *os.File) { f.Read(make([]byte, 1)) }
