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

// process is one that a benchmark has started.
type process struct {
	cmd    *exec.Cmd
	output *os.File
}

// firstFile is the descriptor of the first file that a process is given. Before
// it is the pipe in which it says that it's ready.
const firstFile = 4

// start starts this program in a role, with more flags, and returns once it's
// ready. It ends with this process.
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

// stop ends the process.
func (p *process) stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.output.Close()
}

// finish waits for the process to end, and ends it if that takes too long.
func (p *process) finish(limit time.Duration) {
	end := time.AfterFunc(limit, func() { p.cmd.Process.Kill() })
	p.cmd.Wait()
	end.Stop()
	p.output.Close()
}

// result reads what the process says.
func (p *process) result(v any) { peer.Check(json.NewDecoder(p.output).Decode(v)) }

// ready tells the process that has started this one that it's ready.
func ready() {
	_, err := unix.Write(3, []byte{'.'})
	peer.Check(err)
}

// report tells it v.
func report(v any) {
	b, err := json.Marshal(v)
	peer.Check(err)
	_, err = unix.Write(3, append(b, '\n'))
	peer.Check(err)
}

// file returns a file that this process was given.
func file(i int) *os.File { return os.NewFile(uintptr(firstFile+i), "") }

// rest waits to be ended.
func rest() {
	for {
		time.Sleep(time.Hour)
	}
}

// gate keeps processes waiting until all are there.
type gate struct{ in, out *os.File }

func newGate() gate {
	out, in, err := os.Pipe()
	peer.Check(err)
	return gate{in, out}
}

// open lets all go.
func (g gate) open() {
	g.in.Close()
	g.out.Close()
}

// await waits for the gate, of which this process was given the file.
func await(f *os.File) { f.Read(make([]byte, 1)) }
