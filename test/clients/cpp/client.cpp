// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Clients of IEcho that check every answer: "client" makes each call, "soak-client" makes
// random calls while services and clients are killed.

#include "cpp_test.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <future>
#include <thread>

#include <binder/IPCThreadState.h>

namespace sentrybinder {

using android::IBinder;
using android::IPCThreadState;
using android::status_t;
using android::wp;
using std::chrono::milliseconds;

namespace {

// How long one-way calls may take to arrive, with many clients at once.
constexpr std::chrono::seconds kLost{150};

// How many failures of a soak are reported individually.
constexpr int kTold = 5;

std::string reversed(const std::string& text) {
    return {text.rbegin(), text.rend()};
}

// The calls of one service, one by one.
class Peer {
public:
    Peer(std::string name, std::string server) : mName(std::move(name)), mServer(std::move(server)) {}

    const std::string& name() const { return mName; }
    const std::string& server() const { return mServer; }
    bool found() const { return mEcho != nullptr; }
    void forget() { mEcho = nullptr; }

    // Sets the service; returns whether it is one.
    bool take(const sp<IBinder>& service) {
        mEcho = service == nullptr ? nullptr : android::interface_cast<IEcho>(service);
        static std::atomic<int> proxies;
        mTag = std::string(kCpp) + "-" + std::to_string(getpid()) + "-" + std::to_string(++proxies);
        mSent = 0;
        return found();
    }

    // The error of a call that was not answered; OK for all others.
    status_t status() const { return mStatus; }

    // Each of these makes one or more calls, and returns what was wrong.

    Wrong upper(const std::string& text, const std::string& want) {
        std::string got;
        return judge("upper", mEcho->upper(text, &got), [&] { return differ("upper", got, want); });
    }

    Wrong upper() {
        const std::string text = mRandom.text(2000);
        std::string want = text;
        std::transform(want.begin(), want.end(), want.begin(), [](unsigned char c) { return toupper(c); });
        return upper(text, want);
    }

    Wrong add(int32_t a, int32_t b) {
        int32_t got = 0;
        const auto want = static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
        return judge("add", mEcho->add(a, b, &got), [&] { return differ("add", got, want); });
    }

    Wrong add() { return add(mRandom.number(), mRandom.number()); }

    Wrong callBack() {
        const std::string text = mRandom.text(200);
        std::string got;
        return judge("callBack", mEcho->callBack(sp<Listener>::make(), text, &got),
                     [&] { return differ("callBack", got, reversed(text) + "!"); });
    }

    Wrong reverse(size_t size) {
        const std::vector<uint8_t> data = mRandom.bytes(size);
        std::vector<uint8_t> got;
        return judge("reverse", mEcho->reverse(data, &got), [&] {
            return differ("reverse", got, std::vector<uint8_t>(data.rbegin(), data.rend()));
        });
    }

    Wrong reverse() { return reverse(mRandom.below(65537)); }

    Wrong writeFile() {
        const std::string text = mRandom.text(300);
        auto [reader, writer] = newPipe();
        ParcelFileDescriptor file(std::move(writer));
        int32_t written = -1;
        const Status status = mEcho->writeFile(file, text, &written);
        file.reset();
        return judge("writeFile", status, [&, &reader = reader] {
            const Wrong wrong = differ("writeFile", written, static_cast<int32_t>(text.size()));
            // The pipe ends only once the service has closed its descriptor, too.
            return wrong.empty() ? differ("writeFile", readAll(reader), text) : wrong;
        });
    }

    Wrong openFile() {
        const std::string text = mRandom.text(300);
        ParcelFileDescriptor got;
        return judge("openFile", mEcho->openFile(text, &got),
                     [&] { return differ("openFile", readAll(got.release()), text); });
    }

    // Sends notes and waits until they have arrived, in order.
    Wrong notes(int count) {
        for (int i = 0; i < count; i++) {
            const Wrong wrong = judge("note", mEcho->note(mTag + " " + std::to_string(mSent + 1)));
            if (!wrong.empty()) return wrong;
            mSent++;
        }
        const auto end = Clock::now() + kLost;
        auto pause = std::chrono::duration_cast<Clock::duration>(milliseconds(2));
        for (;;) {
            int32_t heard = 0;
            const auto asked = Clock::now();
            const Wrong wrong = judge("heard", mEcho->heard(mTag, &heard));
            if (!wrong.empty() || heard == mSent) return wrong;
            if (heard < 0 || heard > mSent || Clock::now() > end) return differ(mTag, heard, mSent);
            // Poll not much more often than needed, and less often if the service is
            // busy: all of these calls may precede each note, which waits until the
            // previous one is handled.
            pause = std::min<Clock::duration>(std::max(2 * pause, 10 * (Clock::now() - asked)),
                                              std::chrono::seconds(10));
            std::this_thread::sleep_for(pause);
        }
    }

    Wrong notes() { return notes(1 + static_cast<int>(mRandom.below(8))); }

    Wrong caller() {
        int64_t got = 0;
        const int64_t want = static_cast<int64_t>(getpid()) << 32 | geteuid();
        return judge("caller", mEcho->caller(&got), [&] { return differ("caller", got, want); });
    }

    Wrong fail(int32_t code) {
        const Status status = mEcho->fail(code, "no such luck");
        if (status.exceptionCode() != Status::EX_SERVICE_SPECIFIC) {
            return "fail: " + std::string(status.toString8().c_str());
        }
        const Wrong wrong = differ("fail", status.serviceSpecificErrorCode(), code);
        return wrong.empty() ? differ<std::string>("fail", status.exceptionMessage().c_str(), "no such luck") : wrong;
    }

    Status noteOnce() {
        const Status status = mEcho->note(mTag + " " + std::to_string(mSent + 1));
        if (status.isOk()) mSent++;
        return status;
    }

private:
    // Judges a call by its status and, if that is OK, by its answer.
    Wrong judge(const std::string& what, const Status& status, const std::function<Wrong()>& answer = nullptr) {
        mStatus = status.transactionError();
        if (!status.isOk()) return what + " of " + mName + ": " + status.toString8().c_str();
        return answer == nullptr ? "" : answer();
    }

    const std::string mName;
    // The language that it is written in.
    const std::string mServer;
    sp<IEcho> mEcho;
    // The tag of this proxy's notes, and how many were sent.
    std::string mTag;
    int32_t mSent = 0;
    status_t mStatus = android::OK;
    Random mRandom;
};

// Calls something with i from 0 on until it fails.
Wrong repeat(int times, const std::function<Wrong(int)>& f) {
    Wrong wrong;
    for (int i = 0; i < times && wrong.empty(); i++) wrong = f(i);
    return wrong;
}

// Runs something in several threads at once, each with its own Peer.
Wrong threads(int count, const sp<IBinder>& service, const std::function<Wrong(Peer&)>& f) {
    return inThreads(count, [&](int) {
        Peer peer("service", "");
        peer.take(service);
        return f(peer);
    });
}

volatile sig_atomic_t ended;

// Reports a death, once.
class Mourner : public IBinder::DeathRecipient {
public:
    void binderDied(const wp<IBinder>& who) override { mDied.set_value(who); }
    std::future<wp<IBinder>> died() { return mDied.get_future(); }

private:
    std::promise<wp<IBinder>> mDied;
};

}  // namespace

Status Listener::onEvent(const std::string& text, std::string* reply) {
    *reply = reversed(text);
    return Status::ok();
}

Status Listener::onNote(int32_t number) {
    std::lock_guard lock(mLock);
    mNotes.push_back(number);
    mCame.notify_all();
    return Status::ok();
}

std::vector<int32_t> Listener::notes(size_t count) {
    std::unique_lock lock(mLock);
    mCame.wait_for(lock, kHung, [&] { return mNotes.size() >= count; });
    return mNotes;
}

int runClient(const std::string& name, const std::string& server) {
    Report report;
    open();
    const sp<IBinder> service = findService(name);
    Peer peer(name, server);
    if (!peer.take(service)) {
        report.check(server, "lookup", "waiting for the service", 1, name + " not found");
        return report.finish();
    }
    const auto check = [&](const char* kind, const char* what, int calls, const Wrong& wrong) {
        report.check(server, kind, what, calls, wrong);
    };
    check("sync", "strings", 5, [&] {
        constexpr const char* kTexts[][2] = {
                {"hello, binder", "HELLO, BINDER"}, {"", ""}, {"a", "A"}, {"odd", "ODD"},
                {"not ascii: € 😀", "NOT ASCII: € 😀"},
        };
        return repeat(5, [&](int i) { return peer.upper(kTexts[i][0], kTexts[i][1]); });
    }());
    check("sync", "500 numbers", 501, [&] {
        const Wrong wrong = repeat(500, [&](int i) { return peer.add(i, -2 * i); });
        return wrong.empty() ? peer.add(INT32_MAX, 1) : wrong;
    }());
    check("sync", "eight threads at once", 8 * 50, threads(8, service, [](Peer& peer) {
              return repeat(50, [&](int) { return peer.upper(); });
          }));
    check("sync", "the caller's pid and uid", 1, peer.caller());
    constexpr int32_t kErrors[] = {1, -1, 42, INT32_MAX, INT32_MIN};
    check("error", "service-specific errors", 5, repeat(5, [&](int i) { return peer.fail(kErrors[i]); }));
    check("oneway", "one-way calls from each of four threads, in order", 4 * 100,
          threads(4, service, [](Peer& peer) { return peer.notes(100); }));
    check("callback", "objects that the service calls back", 50, repeat(50, [&](int) { return peer.callBack(); }));
    check("callback", "from four threads at once", 4 * 10, threads(4, service, [](Peer& peer) {
              return repeat(10, [&](int) { return peer.callBack(); });
          }));
    check("fd", "file descriptors in calls", 20, repeat(20, [&](int) { return peer.writeFile(); }));
    check("fd", "file descriptors in replies", 20, repeat(20, [&](int) { return peer.openFile(); }));
    constexpr size_t kSizes[] = {0, 1, 3, 4, 4095, 65536, 300001, 900000};
    check("large", "bytes, up to 900 kB", 8, repeat(8, [&](int i) { return peer.reverse(kSizes[i]); }));
    check("death", "a death recipient that is unlinked again", 1, [&]() -> Wrong {
        const sp<Mourner> mourner = sp<Mourner>::make();
        if (service->linkToDeath(mourner) != android::OK) return "linkToDeath";
        if (service->unlinkToDeath(mourner) != android::OK) return "unlinkToDeath";
        return differ<status_t>("pingBinder", service->pingBinder(), android::OK);
    }());
    return report.finish();
}

int runFreeze(const std::string& name, const std::string& server, pid_t pid) {
    Report report;
    open();
    Peer peer(name, server);
    peer.take(findService(name));
    const auto freezing = [&](int) -> Wrong {
        // The service is still busy if it has not received the reply to its registration.
        const auto end = Clock::now() + kHung;
        status_t status;
        while ((status = IPCThreadState::freeze(pid, true, 60000)) == -EAGAIN && Clock::now() < end) {
        }
        if (status != android::OK) return differ<status_t>("freeze", status, android::OK);
        const Wrong call = peer.add(1, 1);
        const status_t failed = peer.status();
        const Status note = peer.noteOnce();
        uint32_t sync = 0, async = 0;
        const status_t info = IPCThreadState::getProcessFreezeInfo(pid, &sync, &async);
        status = IPCThreadState::freeze(pid, false, 0);
        if (status != android::OK) return differ<status_t>("thaw", status, android::OK);
        Wrong wrong = differ<status_t>("a call of a frozen service", failed, android::FAILED_TRANSACTION);
        if (wrong.empty() && !note.isOk()) wrong = std::string("note: ") + note.toString8().c_str();
        if (wrong.empty()) wrong = differ<status_t>("getProcessFreezeInfo", info, android::OK);
        // The other bit says that a call is in progress, as the note may be.
        if (wrong.empty()) wrong = differ<uint32_t>("sync_received", sync & 1, 1);
        if (wrong.empty()) wrong = differ<uint32_t>("async_received", async, 1);
        if (wrong.empty()) wrong = peer.add(1, 1);
        // The one-way call has arrived, or will.
        return wrong.empty() ? peer.notes(1) : wrong;
    };
    report.check(server, "freeze", "a service is frozen and thawed", 5 * 4,
                 peer.found() ? repeat(5, freezing) : name + " not found");
    return report.finish();
}

int runWatch(const std::string& name) {
    open();
    const sp<IBinder> service = findService(name);
    const sp<Mourner> mourner = sp<Mourner>::make();
    auto died = mourner->died();
    if (service == nullptr || service->linkToDeath(mourner) != android::OK) {
        say("not found");
        return 1;
    }
    say("watching");
    const wp<IBinder> who = died.get();
    say(who == service && !service->isBinderAlive() ? "died" : "notified of another's death");
    return 0;
}

int runSoakClient(int seconds, const std::vector<std::string>& names) {
    signal(SIGTERM, [](int) { ended = 1; });
    open();
    std::vector<Peer> peers;
    for (const std::string& name : names) {
        const size_t colon = name.find(':');
        peers.emplace_back(name.substr(0, colon), name.substr(colon + 1));
    }
    using Call = Wrong (Peer::*)();
    constexpr std::pair<const char*, Call> kCalls[] = {
            {"sync", &Peer::upper},      {"sync", &Peer::add},    {"callback", &Peer::callBack},
            {"large", &Peer::reverse},   {"fd", &Peer::writeFile}, {"fd", &Peer::openFile},
            {"oneway", &Peer::notes},
    };
    Report report;
    Random random;
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    auto told = Clock::now();
    int dead = 0, failures = 0;
    Clock::duration longest{};
    const auto finish = [&] {
        return report.finish(", \"dead\": " + std::to_string(dead) + ", \"longest_ms\": " +
                             std::to_string(std::chrono::duration_cast<milliseconds>(longest).count()));
    };
    while (!ended && Clock::now() < end) {
        Peer& peer = peers[random.below(peers.size())];
        const auto& [kind, call] = kCalls[random.below(std::size(kCalls))];
        const auto start = Clock::now();
        Wrong wrong;
        bool died = false;
        if (peer.found() || peer.take(checkService(peer.name()))) {
            wrong = (peer.*call)();
            died = peer.status() == android::DEAD_OBJECT;
        } else {
            died = true;
        }
        longest = std::max(longest, Clock::now() - start);
        if (died) {
            dead++;
            peer.forget();
            std::this_thread::sleep_for(milliseconds(20 + random.below(80)));
        } else {
            report.add(peer.server(), kind, 1, !wrong.empty());
            if (!wrong.empty() && ++failures <= kTold) say(std::string("FAILED ") + kind + ": " + wrong);
            std::this_thread::sleep_for(milliseconds(5));
        }
        if (Clock::now() > told + std::chrono::seconds(1)) {
            finish();
            told = Clock::now();
        }
    }
    return finish();
}

}  // namespace sentrybinder
