// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Shared by the parts of cpp_test.

#ifndef SENTRYBINDER_CPP_TEST_H_
#define SENTRYBINDER_CPP_TEST_H_

#include <stdint.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <android-base/unique_fd.h>
#include <binder/IBinder.h>
#include <binder/ParcelFileDescriptor.h>
#include <binder/Status.h>
#include <org/sentrybinder/test/BnListener.h>
#include <org/sentrybinder/test/IEcho.h>

namespace sentrybinder {

using android::sp;
using android::base::unique_fd;
using android::binder::Status;
using android::os::ParcelFileDescriptor;
using org::sentrybinder::test::IEcho;
using org::sentrybinder::test::IListener;
using Clock = std::chrono::steady_clock;

// The language of these programs, in the table of calls.
inline constexpr char kCpp[] = "cpp";

// How long anything may take before it is considered hung. Nothing waits this long
// otherwise.
inline constexpr std::chrono::seconds kHung{60};

// Opens the device, and starts the threads that serve this process's objects.
void open();

// Registers a service. Returns whether the service manager accepted it.
bool addService(const std::string& name, const sp<android::IBinder>& service);

// Returns a service if it exists.
sp<android::IBinder> checkService(const std::string& name);

// Waits for a service.
sp<android::IBinder> findService(const std::string& name);

// Serves this process's objects until it is killed.
[[noreturn]] void serve();

// Creates the service that clients in every language call. It prints each note if print
// is set.
sp<android::IBinder> newEcho(bool print);

// Prints a line of output and flushes it.
void say(const std::string& line);

// The caller of the current call: pid << 32 | uid.
int64_t caller();

// Returns a pipe's ends, the reading one first.
std::pair<unique_fd, unique_fd> newPipe();

// Returns whether all of it was written.
bool writeAll(int fd, const std::string& text);

// Reads to the end.
std::string readAll(const unique_fd& fd);

// Random numbers, texts and bytes.
class Random {
public:
    uint64_t below(uint64_t limit) { return mEngine() % limit; }
    int32_t number() { return static_cast<int32_t>(mEngine()); }
    // At most that many printable ASCII characters.
    std::string text(size_t most);
    std::vector<uint8_t> bytes(size_t size);

private:
    std::mt19937_64 mEngine{std::random_device{}()};
};

// The answer and the expected one, or nothing if the answer was right.
using Wrong = std::string;

template <typename T>
Wrong differ(const std::string& what, const T& got, const T& want) {
    if (got == want) return "";
    if constexpr (std::is_arithmetic_v<T>) {
        return what + ": got " + std::to_string(got) + ", want " + std::to_string(want);
    } else if constexpr (std::is_convertible_v<T, std::string>) {
        return what + ": got " + got.substr(0, 300) + ", want " + want.substr(0, 300);
    } else {
        const auto first = std::mismatch(got.begin(), got.end(), want.begin(), want.end()).first;
        return what + ": got " + std::to_string(got.size()) + " elements, want " + std::to_string(want.size()) +
                ", the first " + std::to_string(first - got.begin()) + " are right";
    }
}

// Runs something in that many threads at once. Returns what went wrong in one.
Wrong inThreads(int count, const std::function<Wrong(int)>& f);

// Counts checks and calls.
class Report {
public:
    // Counts calls of one kind to a server of some language.
    void add(const std::string& server, const std::string& kind, uint64_t calls, uint64_t failures);

    // Counts a check that consists of that many calls, and reports its outcome.
    void check(const std::string& server, const std::string& kind, const std::string& name, uint64_t calls,
               const Wrong& wrong);

    // Prints a line for programs, with additional members of its object. Returns the exit
    // status.
    int finish(const std::string& members = "") const;

private:
    uint64_t mPassed = 0;
    uint64_t mFailed = 0;
    // Calls and failures, by server and kind.
    std::map<std::pair<std::string, std::string>, std::pair<uint64_t, uint64_t>> mCalls;
};

// A listener that returns the reversed text.
class Listener : public org::sentrybinder::test::BnListener {
public:
    Status onEvent(const std::string& text, std::string* reply) override;
    Status onNote(int32_t number) override;

    // Waits until that many notes have arrived. Returns them.
    std::vector<int32_t> notes(size_t count);

private:
    std::mutex mLock;
    std::condition_variable mCame;
    std::vector<int32_t> mNotes;
};

// The commands. Each returns the exit status of the process.
int runService(const std::string& name, bool print);
int runClient(const std::string& name, const std::string& server);
int runFreeze(const std::string& name, const std::string& server, pid_t pid);
int runWatch(const std::string& name);
int runSoakClient(int seconds, const std::vector<std::string>& names);
int runSuite(const std::string& name);
int runSuiteClient(const std::string& name, const std::string& server);

}  // namespace sentrybinder

#endif  // SENTRYBINDER_CPP_TEST_H_
