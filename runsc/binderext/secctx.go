// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderext

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// SecurityContextAnnotation is the OCI annotation whose value is the security
// context of a container's processes, as a node that asks for it gets it with each
// transaction: a string of 1 to 4095 bytes. Without the annotation it is
// DefaultSecurityContext.
const SecurityContextAnnotation = "dev.sentrybinder.security-context"

// DefaultSecurityContext is that of what Android's policy has no context for, which
// may do nothing.
const DefaultSecurityContext = "u:object_r:unlabeled:s0"

// maxSecurityContextLen is the length in bytes of the longest security context.
// It fits in a page with the NUL that ends it, as what Linux shows of one does.
const maxSecurityContextLen = 4095

// securityContext returns the security context of the container's processes.
func securityContext(spec *specs.Spec) (string, error) {
	value, ok := spec.Annotations[SecurityContextAnnotation]
	if !ok {
		return DefaultSecurityContext, nil
	}
	if value == "" || len(value) > maxSecurityContextLen || strings.ContainsRune(value, 0) {
		return "", fmt.Errorf("annotation %s=%q: a security context has 1 to %d bytes, none of them NUL", SecurityContextAnnotation, value, maxSecurityContextLen)
	}
	return value, nil
}
