// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Prefix begins the keys of all annotations.
const Prefix = "dev.sentrybinder."

// scope is the set of specs in which an annotation takes effect.
type scope int

const (
	// ofSandbox annotations take effect in the spec of the sandbox's first container.
	ofSandbox scope = iota
	// ofContainer annotations take effect in the spec of any container.
	ofContainer
)

// annotation declares an annotation whose value stands for a T.
type annotation[T any] struct {
	key   string
	scope scope
	// absent is the meaning of a spec without the annotation.
	absent T
	// parse returns what value means. Its error describes valid values.
	parse func(value string) (T, error)
}

// of returns the annotation's meaning in spec.
func (a *annotation[T]) of(spec *specs.Spec) (T, error) {
	value, ok := spec.Annotations[a.key]
	if !ok {
		return a.absent, nil
	}
	v, err := a.parse(value)
	if err != nil {
		return v, fmt.Errorf("annotation %s=%q: %w", a.key, value, err)
	}
	return v, nil
}

// setting is an annotation of any type.
type setting interface {
	name() string
	ofSandbox() bool
	// validate returns an error if spec's value is invalid.
	validate(spec *specs.Spec) error
	// equal returns whether it means the same in both specs.
	equal(a, b *specs.Spec) bool
}

func (a *annotation[T]) name() string {
	return a.key
}

func (a *annotation[T]) ofSandbox() bool {
	return a.scope == ofSandbox
}

func (a *annotation[T]) validate(spec *specs.Spec) error {
	_, err := a.of(spec)
	return err
}

func (a *annotation[T]) equal(x, y *specs.Spec) bool {
	vx, errx := a.of(x)
	vy, erry := a.of(y)
	return errx == nil && erry == nil && reflect.DeepEqual(vx, vy)
}

// settings is a table of annotations.
type settings []setting

// validate reports an annotation of spec that is unknown, invalid or without
// effect. root is the spec of the sandbox's first container, nil if spec is.
func (s settings) validate(spec, root *specs.Spec) error {
	for _, key := range slices.Sorted(maps.Keys(spec.Annotations)) {
		if !strings.HasPrefix(key, Prefix) {
			continue
		}
		i := slices.IndexFunc(s, func(one setting) bool { return one.name() == key })
		if i < 0 {
			return fmt.Errorf("unknown annotation %s (%q): want one of %s", key, spec.Annotations[key], strings.Join(s.names(), ", "))
		}
		if err := s[i].validate(spec); err != nil {
			return err
		}
		if root != nil && s[i].ofSandbox() && !s[i].equal(spec, root) {
			return fmt.Errorf("annotation %s=%q takes effect only in the config of the sandbox's first container, where it is %s", key, spec.Annotations[key], show(root, key))
		}
	}
	return nil
}

// validateRestore reports an annotation that means something else in spec than in saved,
// the container's spec at checkpoint. isRoot is set for the sandbox's first container.
func (s settings) validateRestore(saved, spec *specs.Spec, isRoot bool) error {
	for _, one := range s {
		// Sandbox annotations are the same in all containers.
		if (isRoot || !one.ofSandbox()) && !one.equal(saved, spec) {
			return fmt.Errorf("annotation %s is %s, but was %s at checkpoint: a restore can't change it", one.name(), show(spec, one.name()), show(saved, one.name()))
		}
	}
	return nil
}

func (s settings) names() []string {
	var names []string
	for _, one := range s {
		names = append(names, one.name())
	}
	slices.Sort(names)
	return names
}

// show formats an annotation's value for an error message.
func show(spec *specs.Spec, key string) string {
	if value, ok := spec.Annotations[key]; ok {
		return fmt.Sprintf("%q", value)
	}
	return "absent"
}

// oneOf returns a parse function for annotations whose value is one of words.
func oneOf(words ...string) func(value string) (string, error) {
	return func(value string) (string, error) {
		if !slices.Contains(words, value) {
			return "", fmt.Errorf("want one of %s", strings.Join(words, ", "))
		}
		return value, nil
	}
}

// boolean is the parse function for annotations whose value is true or false.
func boolean(value string) (bool, error) {
	_, err := oneOf("true", "false")(value)
	return value == "true", err
}
