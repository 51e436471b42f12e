// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"strings"
)

// securityContext is the annotation whose value is the security context of a
// container's processes, as a node that asks for it gets it with each transaction: a
// string of 1 to 4095 bytes. Without the annotation it is that of what Android's
// policy has no context for, which may do nothing.
var securityContext = annotation[string]{
	key:    Prefix + "security-context",
	scope:  ofContainer,
	absent: "u:object_r:unlabeled:s0",
	parse: func(value string) (string, error) {
		if value == "" || len(value) > maxSecurityContextLen || strings.ContainsRune(value, 0) {
			return "", fmt.Errorf("a security context has 1 to %d bytes, none of them NUL", maxSecurityContextLen)
		}
		return value, nil
	},
}

// maxSecurityContextLen is the length in bytes of the longest security context.
// It fits in a page with the NUL that ends it, as what Linux shows of one does.
const maxSecurityContextLen = 4095
