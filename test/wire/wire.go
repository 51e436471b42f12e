// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package wire returns names of returns and objects, for tests to print.
package wire

import (
	"strings"

	"sentrybinder/pkg/abi/binder"
)

// ReturnName returns the name of a BR_ code.
func ReturnName(code uint32) string { return binder.ReturnName(code) }

// ObjectName returns the name of an object type, without BINDER_TYPE_.
func ObjectName(t uint32) string {
	return strings.TrimPrefix(binder.ObjectTypeName(t), "BINDER_TYPE_")
}
