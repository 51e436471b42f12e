// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"time"

	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/sync"
)

// warnings logs what can only be the driver's own mistake. Whoever has found out how
// to bring it about can do so as often as they like, but not fill the log.
var warnings = sync.OnceValue(func() log.Logger { return log.BasicRateLimitedLogger(time.Minute) })
