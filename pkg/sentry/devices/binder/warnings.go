// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"time"

	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/sync"
)

// warnings logs the driver's own mistakes. It is rate-limited, so that an application
// that can provoke one doesn't fill the log.
var warnings = sync.OnceValue(func() log.Logger { return log.BasicRateLimitedLogger(time.Minute) })
