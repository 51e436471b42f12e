// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bindercmd implements "runsc binder": commands with which an operator inspects
// the Binder driver of a running sandbox. They talk to the sandbox's control server, and
// need nothing in the container: no shell, no file system, no capability.
package bindercmd

import (
	"bytes"
	"context"

	"github.com/google/subcommands"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/runsc/config"
	"gvisor.dev/gvisor/runsc/flag"
)

// Binder implements util.SubCommand for the "binder" command.
type Binder struct {
	load Loader
}

// New returns the command.
func New(load Loader) *Binder { return &Binder{load: load} }

// Name implements subcommands.Command.Name.
func (*Binder) Name() string { return "binder" }

// Synopsis implements subcommands.Command.Synopsis.
func (*Binder) Synopsis() string { return "inspect the Binder driver of a running sandbox" }

// Usage implements subcommands.Command.Usage.
func (b *Binder) Usage() string {
	var buf bytes.Buffer
	buf.WriteString("binder <subcommand> <subcommand args>\n\n")
	cdr := b.commander(&flag.FlagSet{})
	cdr.VisitGroups(func(group *subcommands.CommandGroup) { cdr.ExplainGroup(&buf, group) })
	return buf.String()
}

// SetFlags implements subcommands.Command.SetFlags.
func (*Binder) SetFlags(*flag.FlagSet) {}

// FetchSpec implements util.SubCommand.FetchSpec. The container is an argument of the
// subcommand, and its configuration doesn't matter.
func (*Binder) FetchSpec(*config.Config, *flag.FlagSet) (string, *specs.Spec, error) {
	return "", nil, nil
}

// Execute implements subcommands.Command.Execute.
func (b *Binder) Execute(ctx context.Context, f *flag.FlagSet, args ...any) subcommands.ExitStatus {
	return b.commander(f).Execute(ctx, args...)
}

func (b *Binder) commander(f *flag.FlagSet) *subcommands.Commander {
	cdr := subcommands.NewCommander(f, b.Name())
	cdr.Register(cdr.HelpCommand(), "")
	cdr.Register(cdr.FlagsCommand(), "")
	for _, l := range logs {
		cdr.Register(&show{log: l, load: b.load}, "")
	}
	cdr.Register(&tracing{load: b.load}, "")
	return cdr
}
