// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/google/subcommands"
	"gvisor.dev/gvisor/runsc/cmd/util"
	"gvisor.dev/gvisor/runsc/config"
	"gvisor.dev/gvisor/runsc/flag"
)

// log is a log that a subcommand shows.
type log struct {
	name, synopsis string

	// json is set if the log is available as JSON.
	json bool
}

// Names of logs. The first four are those of files in Linux's binder_logs.
const (
	State        = "state"
	Transactions = "transactions"
	Proc         = "proc"
	Stats        = "stats"
	Last         = "log"
	Failed       = "failed"
	PS           = "ps"
)

var logs = []log{
	{State, "show all that the driver holds: processes, threads, nodes, references, buffers, transactions", false},
	{Transactions, "show pending transactions and threads' pending work", false},
	{Proc, "show all that the driver holds for one process", false},
	{Stats, "show counts of commands, returns and objects", true},
	{Last, "show the last transactions", false},
	{Failed, "show the last transactions that failed, and why", true},
	{PS, "list the processes that have a device open", true},
}

// show implements subcommands.Command for a subcommand that shows a log.
type show struct {
	log
	load Loader

	sandbox       bool
	containerPIDs bool
	format        string
}

// Name implements subcommands.Command.Name.
func (s *show) Name() string { return s.name }

// Synopsis implements subcommands.Command.Synopsis.
func (s *show) Synopsis() string { return s.synopsis }

// Usage implements subcommands.Command.Usage.
func (s *show) Usage() string {
	pid := ""
	if s.name == Proc {
		pid = " <pid>"
	}
	return fmt.Sprintf(`%s [flags] <container id>%s - %s

Shows the devices in the container's /dev, and those of each binderfs in which its
processes have a device open, with all processes that use them.

`, s.name, pid, s.synopsis)
}

// SetFlags implements subcommands.Command.SetFlags.
func (s *show) SetFlags(f *flag.FlagSet) {
	f.BoolVar(&s.sandbox, "sandbox", false, "show all containers of the sandbox")
	f.BoolVar(&s.containerPIDs, "container-pids", false, "use process IDs as the container's own processes see them, not those of \"runsc ps\"")
	if s.json {
		f.StringVar(&s.format, "format", "text", "text or json")
	}
}

// Execute implements subcommands.Command.Execute.
func (s *show) Execute(_ context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	conf := args[0].(*config.Config)
	wanted := 1
	if s.name == Proc {
		wanted = 2
	}
	if f.NArg() != wanted {
		f.Usage()
		return subcommands.ExitUsageError
	}
	call := LogArgs{Log: s.name}
	switch s.format {
	case "", "text":
	case "json":
		call.JSON = true
	default:
		return util.Errorf("-format=%s: want text or json", s.format)
	}
	if s.name == Proc {
		pid, err := strconv.ParseInt(f.Arg(1), 10, 32)
		if err != nil || pid <= 0 {
			return util.Errorf("%q is not a process ID", f.Arg(1))
		}
		call.PID = int32(pid)
	}
	c, err := s.load(conf.RootDir, f.Arg(0))
	if err != nil {
		return util.Errorf("%v", err)
	}
	if !s.sandbox {
		call.ContainerID = c.ID
	}
	if s.containerPIDs {
		call.PIDsOf = c.ID
	}
	if err := c.writeLog(&call, &printable{os.Stdout}); err != nil {
		return util.Errorf("%v", err)
	}
	return subcommands.ExitSuccess
}

// writeLog copies to w what the sandbox writes. It reads while the sandbox writes, so
// neither holds the whole log.
func (c *Container) writeLog(args *LogArgs, w io.Writer) error {
	conn, err := c.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	r, pipe, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	args.Files = []*os.File{pipe}

	called := make(chan error, 1)
	go func() {
		called <- conn.Call(WriteLog, args, &struct{}{})
		// Until the call returns, the sandbox may not have its own descriptor yet.
		pipe.Close()
	}()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return <-called
}
