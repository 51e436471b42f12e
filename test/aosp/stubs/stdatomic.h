// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// C's <stdatomic.h> in C++: C++23 has it, and libstdc++ before that lacks it.

#ifndef SENTRYBINDER_STDATOMIC_H_
#define SENTRYBINDER_STDATOMIC_H_

#ifdef __cplusplus
#include <atomic>
using std::atomic_bool;
using std::atomic_compare_exchange_strong_explicit;
using std::atomic_exchange_explicit;
using std::atomic_fetch_add_explicit;
using std::atomic_fetch_or_explicit;
using std::atomic_fetch_sub_explicit;
using std::atomic_int;
using std::atomic_int32_t;
using std::atomic_int_least32_t;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_thread_fence;
using std::atomic_uint;
using std::atomic_uint_least32_t;
using std::atomic_uintptr_t;
using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;
#else
#include_next <stdatomic.h>
#endif

#endif  // SENTRYBINDER_STDATOMIC_H_
