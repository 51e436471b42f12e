# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Everything is built into bin/ and build/, which git ignores.

GO ?= go
NEED := tools/build/need
VERSION := $(shell GIT_OPTIONAL_LOCKS=0 git describe --always --dirty 2>/dev/null || echo unknown)

# Linux's own drivers, on which the tests run, too: those that make oracle built, or those
# that the environment names.
ifeq ($(BINDER_ORACLE),)
export BINDER_ORACLE := $(realpath build/oracle/run)
endif

# ARCH=arm64 builds programs for that architecture, in bin/arm64.
BIN := bin$(if $(ARCH),/$(ARCH))
BUILD := CGO_ENABLED=0 GOARCH=$(ARCH) $(GO) build

.DEFAULT_GOAL := runsc

.PHONY: help
help: ## List the targets.
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: prerequisites
prerequisites:
	@$(NEED) go=golang-go patch
	@tools/build/check-go

# Built like gVisor's own releases: one static program.
.PHONY: runsc
runsc: prerequisites ## Build bin/runsc, gVisor's runsc with the Binder driver built in.
	@tools/build/gvisor
	$(BUILD) -modfile=build/go.mod -buildvcs=false -trimpath \
		-ldflags="-s -w -X 'gvisor.dev/gvisor/runsc/version.version=sentrybinder $(VERSION) (gvisor.dev/gvisor $$(cut -d' ' -f1 build/gvisor.id))'" \
		-o $(BIN)/runsc runsc/main.go

.PHONY: shim
shim: runsc ## Build bin/containerd-shim-runsc-v1, gVisor's shim for containerd.
	$(BUILD) -modfile=build/go.mod -buildvcs=false -trimpath -ldflags="-s -w" \
		-o $(BIN)/containerd-shim-runsc-v1 gvisor.dev/gvisor/shim

.PHONY: metric-server
metric-server: prerequisites ## Build gVisor's metric server, where runsc finds it.
	@tools/build/gvisor
	@GOARCH=$(ARCH) BIN=$(BIN) tools/build/metric-server

# Where there is no machine to run it on, "make programs ARCH=arm64" shows that it builds.
.PHONY: programs
programs: shim metric-server ## Build all programs, examples, benchmarks and tests.
	@GOARCH=$(ARCH) BIN=$(BIN) tools/build/programs

.PHONY: tools
tools: prerequisites ## Install gVisor's code generators and checklocks in build/tools.
	@tools/build/tools

.PHONY: generate
generate: tools ## Regenerate the generated code.
	@$(GO) run ./tools/generate ./...

.PHONY: check-generated
check-generated: tools ## Fail if generated code is out of date.
	@$(GO) run ./tools/generate -check ./...

# Without inferring which fields should be annotated, like gVisor itself.
.PHONY: checklocks
checklocks: tools ## Check the lock annotations.
	$(GO) vet -vettool=$(CURDIR)/build/tools/checklocks -inferred=false ./pkg/...

# The race detector needs a C compiler; Bazel is installed on demand.
.PHONY: test
test: tools ## Run every check and test, and count what ran where.
	@$(NEED) gcc="gcc libc6-dev"
	@$(GO) run ./tools/test

.PHONY: matrix
matrix: prerequisites ## Update the table of what works in docs/conformance.md.
	@$(GO) run ./tools/test -table

.PHONY: android
android: runsc ## Rehearse Android's boot: ask of the kernel what its user space asks, on Linux, too.
	@$(GO) run ./tools/test -android

.PHONY: android-table
android-table: runsc ## Update the table of its results in docs/android.md.
	@$(GO) run ./tools/test -android-table

# The first time, it downloads three kernels, 320 MB in all. All of it takes 40 minutes to two hours.
# "ARM64=-only=systrap" runs only the parts whose names match.
.PHONY: arm64
arm64: prerequisites ## Test on arm64: user mode, and machines with Debian's kernels, emulated.
	@$(NEED) qemu-aarch64=qemu-user qemu-system-aarch64=qemu-system-arm qemu-system-x86_64=qemu-system-x86
	@$(GO) run ./tools/test -arm64 $(ARM64)

.PHONY: arm64-small
arm64-small: prerequisites ## The part of it that takes minutes.
	@$(NEED) qemu-aarch64=qemu-user qemu-system-aarch64=qemu-system-arm
	@$(GO) run ./tools/test -arm64-small $(ARM64)

.PHONY: oracle
oracle: ## Build Linux's own Binder drivers as programs on which the tests run, too.
	@tools/oracle/build

SEEDS ?= 1-4000
FAULT_SEEDS ?= 2000

# The sandbox that plays programs reports which of the driver's code has run.
.PHONY: play
play: prerequisites
	@tools/build/gvisor
	@CGO_ENABLED=0 $(GO) build -trimpath -o build/differential ./test/differential
	@CGO_ENABLED=0 $(GO) build -modfile=build/go.mod -buildvcs=false -trimpath \
		-cover -covermode=atomic -coverpkg=sentrybinder/pkg/sentry/devices/binder/...,command-line-arguments \
		-o build/sandbox test/differential/sandbox/main.go

.PHONY: differential
differential: play ## Look for a program that can tell the driver from Linux's.
	@build/differential -cover -seeds $(SEEDS) $(DIFFERENTIAL)

.PHONY: fidelity
fidelity: play ## The same, with fixed programs for three minutes and new ones for two.
	@build/differential -cover -limit 3m -seeds 1-1000000
	@build/differential -cover -fresh -for 2m

.PHONY: faults
faults: play ## Plant bugs in the driver, one at a time: do such programs find them?
	@build/differential -faults -seeds 1-$(FAULT_SEEDS)

.PHONY: corpus
corpus: play ## Search again for the programs that others begin with.
	@build/differential -corpus -seeds $(SEEDS)

.PHONY: coverage
coverage: play ## Report how much of the driver's code all tests together cover.
	@build/differential -tests -missed -seeds $(SEEDS)

# Only figures of the same run are comparable. "BENCH=NAME" runs only the named ones.
.PHONY: bench
bench: runsc ## Run all benchmarks, each with its peers; tables and plots in build/bench.
	@tools/build/bench
	@build/bench/suite $(SUITE) $(BENCH)
	@build/bench/plot build/bench/results.json build/bench

# Takes 40 minutes. "HOSTILE=-short" is a short trial.
.PHONY: hostile
hostile: runsc ## Measure calls under attack, from the same container and from another.
	@tools/build/bench
	@build/bench/suite -turns 3 $(HOSTILE) hostile

.PHONY: record
record: ## Record the results of the last make bench in docs/benchmarks.md.
	@build/bench/suite -record

COMMANDS ?= 1000000000

# "COMMANDS=N" sends N commands instead.
.PHONY: storm
storm: prerequisites ## Attack the driver with 10^9 hostile commands, in one process.
	@$(GO) test -count=1 -v -timeout=0 -run='^TestHostile$$' ./pkg/sentry/devices/binder -commands=$(COMMANDS) $(STORM)

# Takes half an hour. "MUTATE=-max=40" takes a sample.
.PHONY: mutate
mutate: ## Test the building blocks' tests: do they notice small bugs?
	@$(GO) run ./tools/mutate $(MUTATE) ./pkg/binder/...

.PHONY: demo
demo: runsc ## Show what Binder does, in a sandbox.
	@GO=$(GO) examples/demo/run.sh

.PHONY: clients
clients: runsc ## Run Binder clients written by others in a sandbox.
	@$(NEED) python3
	@test/clients/run.sh
	@test/clients/run.sh --manager aosp
	@test/clients/run.sh --soak "60 8 32"
	@test/clients/run.sh --manager aosp --soak "15 8 32"

# "MANAGER=aosp" uses AOSP's service manager.
.PHONY: soak
soak: runsc ## Run 20 services and 100 clients for ten minutes, constantly killing some.
	@$(NEED) python3
	@test/clients/run.sh --manager $(or $(MANAGER),rsb_hub) --soak 600

# "AOSP=-places systrap,linux-c" runs them only there.
.PHONY: aosp
aosp: runsc ## Build and run AOSP's libbinder, service managers, tools and tests, on Linux, too.
	@$(NEED) python3
	@test/aosp/build.sh
	@test/aosp/run.py $(AOSP)

.PHONY: example
example: runsc ## Run AOSP's service managers, tools and a service on demand in a container.
	@GO=$(GO) examples/android/run.sh

.PHONY: snapshot
snapshot: example ## Restore clones of that container from one checkpoint.
	@examples/snapshot/run.sh

# "CRI=-test.run=NAME" runs some of the tests, "KUBELET=0" those that need no kubelet.
.PHONY: cri
cri: shim metric-server ## Run pods under containerd 1.7 and 2 and under a kubelet.
	@test/cri/run.sh $(CRI)

.PHONY: engines
engines: runsc metric-server ## Run containers with podman and Docker, and scrape metrics.
	@$(NEED) podman dockerd=docker.io
	CGO_ENABLED=0 RUNSC=$(CURDIR)/bin/runsc $(GO) test -count=1 -v -run='^Test(Podman|Docker|Scrape)' ./test/pod

# "TRACE=FILE.svg" also draws it.
.PHONY: trace
trace: runsc ## Trace the demo, and check the trace against Perfetto's definitions.
	@$(NEED) python3
	@test/trace/run.sh $(TRACE)

# Into $(DESTDIR)$(PREFIX) and $(DESTDIR)$(SYSCONFDIR), by default /usr/local and /etc.
.PHONY: install
install: shim metric-server ## Install the programs, sentrybinder-setup, manifests and documentation.
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" DESTDIR="$(DESTDIR)" tools/install/install

.PHONY: uninstall
uninstall: ## Remove what make install installed.
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" DESTDIR="$(DESTDIR)" tools/install/install --remove

.PHONY: deb
deb: shim metric-server ## Build a Debian package of the same in bin.
	@$(NEED) dpkg-deb=dpkg
	@tools/install/deb

.PHONY: check-install
check-install: shim metric-server ## Install and remove both in fresh systems.
	@tools/install/test

.PHONY: image
image: prerequisites ## Build the images of the pods in deploy/kubernetes in bin.
	@mkdir -p bin
	@tools/image/talk bin/talk.tar
	@if [ -x build/aosp/root/system/bin/servicemanager ]; then tools/image/aosp bin/aosp.tar; fi

# "VERSION=" names one; by default it is the latest.
.PHONY: pin
pin: prerequisites ## Say which patches fit a version of gVisor; if all do, move there.
	@$(NEED) git
	@tools/build/pin $(if $(filter command line,$(origin VERSION)),$(VERSION))

# "UPSTREAM=-quick" checks what takes seconds, "UPSTREAM=-test" also runs the tests there.
.PHONY: upstream
upstream: prerequisites ## Turn all of it into a series of patches against gVisor, and check it.
	@$(NEED) git
	@$(GO) run ./tools/upstream $(UPSTREAM)

.PHONY: clean
clean: ## Remove everything that was built.
	rm -rf --one-file-system bin build
