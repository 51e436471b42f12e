// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ashmem

import (
	"sentrybinder/pkg/sentry/devices/binder/account"
)

// tenant is a container that has areas. Its purges don't reach the areas of others. It is
// identified by its account, and exists from its first open of the device to the last
// close of an area that it opened.
//
// +stateify savable
type tenant struct {
	account *account.Account

	// areas is the number of areas, guarded by tenants.mu.
	areas int

	// mu is a leaf.
	mu tenantMutex `state:"nosave"`

	// purgeable holds the areas with purgeable pages.
	// +checklocks:mu
	purgeable map[*area]struct{}
}

// update records whether a has purgeable pages. The caller holds a.mu.
func (t *tenant) update(a *area, purgeable bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if purgeable {
		t.purgeable[a] = struct{}{}
	} else {
		delete(t.purgeable, a)
	}
}

// purge purges all purgeable pages, and returns their number.
func (t *tenant) purge() (n uint64) {
	t.mu.Lock()
	areas := make([]*area, 0, len(t.purgeable))
	for a := range t.purgeable {
		areas = append(areas, a)
	}
	t.mu.Unlock()
	for _, a := range areas {
		n += a.purge()
	}
	return n
}

// tenants holds the tenants by account.
//
// +stateify savable
type tenants struct {
	// mu is a leaf.
	mu tenantsMutex `state:"nosave"`
	// +checklocks:mu
	byAccount map[*account.Account]*tenant
}

// get returns the tenant with account acc, for one more area.
func (ts *tenants) get(acc *account.Account) *tenant {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byAccount[acc]
	if t == nil {
		t = &tenant{account: acc, purgeable: make(map[*area]struct{})}
		if ts.byAccount == nil {
			ts.byAccount = make(map[*account.Account]*tenant)
		}
		ts.byAccount[acc] = t
	}
	t.areas++
	return t
}

// put undoes get.
func (ts *tenants) put(t *tenant) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.areas--
	if t.areas == 0 {
		delete(ts.byAccount, t.account)
	}
}
