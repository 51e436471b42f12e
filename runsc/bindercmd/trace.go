// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/google/subcommands"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/urpc"
	"gvisor.dev/gvisor/runsc/cmd/util"
	"gvisor.dev/gvisor/runsc/config"
	"gvisor.dev/gvisor/runsc/flag"

	"sentrybinder/pkg/perfetto"
	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// Methods of the sandbox's control server that trace the driver.
const (
	// StartTrace takes TraceArgs.
	StartTrace = "BinderTrace.Start"

	// WaitTrace returns the TraceResult when the trace is over.
	WaitTrace = "BinderTrace.Wait"

	// StopTrace ends the trace early.
	StopTrace = "BinderTrace.Stop"
)

// TraceArgs are the arguments of StartTrace.
type TraceArgs struct {
	// ContainerID is the container whose events are traced, or empty for all.
	ContainerID string

	// Duration is how long to trace.
	Duration time.Duration

	// Events is the maximum number of events that wait to be written, MaxBytes that of
	// bytes written.
	Events   int
	MaxBytes int64

	// FilePayload holds the file to write encoded events to.
	urpc.FilePayload
}

// TraceResult is the result of WaitTrace.
type TraceResult struct {
	// Events is the number of events that were written, Dropped that of events for
	// which there was no room.
	Events, Dropped uint64

	// Full is set if the trace ended because MaxBytes were written.
	Full bool

	// Threads are the events' threads, as far as they are known.
	Threads []perfetto.Thread
}

// tracing implements subcommands.Command for the "trace" command.
type tracing struct {
	load Loader

	output   string
	duration time.Duration
	sandbox  bool
	events   int
	maxSize  int64
}

// Name implements subcommands.Command.Name.
func (*tracing) Name() string { return "trace" }

// Synopsis implements subcommands.Command.Synopsis.
func (*tracing) Synopsis() string {
	return "write a timeline of calls, one-way calls, waits, freezes and deaths, for Perfetto"
}

// Usage implements subcommands.Command.Usage.
func (*tracing) Usage() string {
	return `trace [flags] <container id> - write a timeline, for Perfetto (https://ui.perfetto.dev)

The timeline shows the container's events, including what others send to it and receive
from it. An interrupt ends it early.

`
}

// SetFlags implements subcommands.Command.SetFlags.
func (t *tracing) SetFlags(f *flag.FlagSet) {
	f.StringVar(&t.output, "o", "binder.pftrace", "the file to write")
	f.DurationVar(&t.duration, "duration", 10*time.Second, "how long to trace")
	f.BoolVar(&t.sandbox, "sandbox", false, "trace all containers of the sandbox")
	f.IntVar(&t.events, "events", 1<<16, fmt.Sprintf("how many events the sandbox can buffer, from %d to %d, of 80 bytes each", trace.MinEvents, trace.MaxEvents))
	f.Int64Var(&t.maxSize, "max-size", 1<<30, "how many bytes of events to keep on disk; the trace ends when they are written")
}

// Execute implements subcommands.Command.Execute.
func (t *tracing) Execute(_ context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	if f.NArg() != 1 {
		f.Usage()
		return subcommands.ExitUsageError
	}
	switch {
	case t.duration <= 0:
		return util.Errorf("-duration=%v: want more than zero", t.duration)
	case t.events < trace.MinEvents || t.events > trace.MaxEvents:
		return util.Errorf("-events=%d: want %d to %d", t.events, trace.MinEvents, trace.MaxEvents)
	case t.maxSize < trace.Size:
		return util.Errorf("-max-size=%d: want at least %d, the size of an event", t.maxSize, trace.Size)
	}
	conf := args[0].(*config.Config)
	c, err := t.load(conf.RootDir, f.Arg(0))
	if err != nil {
		return util.Errorf("%v", err)
	}
	if err := t.write(c); err != nil {
		return util.Errorf("%v", err)
	}
	return subcommands.ExitSuccess
}

// write traces c and writes the output. Raw events are kept in an unlinked file until the
// trace is over: encoding them would take time from what is traced.
func (t *tracing) write(c *Container) (err error) {
	clocks, err := readClocks()
	if err != nil {
		return err
	}
	raw, err := os.CreateTemp(filepath.Dir(t.output), ".binder-trace-")
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := os.Remove(raw.Name()); err != nil {
		return err
	}
	result, err := t.record(c, raw)
	if err != nil {
		return err
	}
	if _, err := raw.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := os.Create(t.output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := perfetto.Write(out, raw, result.Threads, clocks); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d events written to %s", result.Events, t.output)
	if result.Dropped != 0 {
		fmt.Fprintf(os.Stderr, ", %d lost: -events=%d is too few", result.Dropped, t.events)
	}
	if result.Full {
		fmt.Fprintf(os.Stderr, ", ended by -max-size=%d", t.maxSize)
	}
	fmt.Fprintln(os.Stderr)
	return nil
}

// record has the sandbox write events to file until the time is up, or until the
// command is interrupted.
func (t *tracing) record(c *Container, file *os.File) (*TraceResult, error) {
	args := TraceArgs{Duration: t.duration, Events: t.events, MaxBytes: t.maxSize}
	if !t.sandbox {
		args.ContainerID = c.ID
	}
	args.Files = []*os.File{file}
	conn, err := c.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(interrupts)

	if err := conn.Call(StartTrace, &args, &struct{}{}); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "tracing for %v; an interrupt ends it\n", t.duration)
	var result TraceResult
	done := make(chan error, 1)
	go func() { done <- conn.Call(WaitTrace, &struct{}{}, &result) }()
	for {
		select {
		case err := <-done:
			if remote := (urpc.RemoteError{}); errors.As(err, &remote) || err == nil {
				return &result, err
			}
			// The sandbox has written what happened until then.
			fmt.Fprintf(os.Stderr, "the sandbox has ended; the trace lacks thread names: %v\n", err)
			size, err := file.Seek(0, io.SeekEnd)
			if err != nil {
				return nil, err
			}
			return &TraceResult{Events: uint64(size / trace.Size)}, file.Truncate(size - size%trace.Size)
		case <-interrupts:
			if err := c.stopTrace(); err != nil {
				return nil, err
			}
		}
	}
}

func (c *Container) stopTrace() error {
	conn, err := c.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Call(StopTrace, &struct{}{}, &struct{}{})
}

// readClocks reads the host's clocks, which the sandbox uses, too.
func readClocks() (c perfetto.Clocks, err error) {
	for _, clock := range [...]struct {
		id   int32
		time *int64
	}{
		{unix.CLOCK_REALTIME, &c.Realtime},
		{unix.CLOCK_MONOTONIC, &c.Monotonic},
		{unix.CLOCK_BOOTTIME, &c.Boottime},
	} {
		var ts unix.Timespec
		if err := unix.ClockGettime(clock.id, &ts); err != nil {
			return c, fmt.Errorf("clock_gettime: %w", err)
		}
		*clock.time = ts.Nano()
	}
	return c, nil
}
