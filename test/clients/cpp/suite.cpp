// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// The service for clients with interfaces generated from AIDL, and such a client.

#include "cpp_test.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <numeric>
#include <thread>

#include <binder/IPCThreadState.h>
#include <org/sentrybinder/test/BnSession.h>
#include <org/sentrybinder/test/BnSuite.h>

namespace sentrybinder {

using android::IBinder;
using android::IInterface;
using android::status_t;
using android::wp;
using org::sentrybinder::test::BnSession;
using org::sentrybinder::test::BnSuite;
using org::sentrybinder::test::ISession;
using org::sentrybinder::test::ISuite;
using org::sentrybinder::test::Kind;
using org::sentrybinder::test::Record;

namespace {

// How many sessions are live in this process.
std::atomic<int32_t> sessionsAlive;

// A session, which is live as long as anybody holds it.
class Session : public BnSession {
public:
    Session(std::string name, int32_t depth) : mName(std::move(name)), mDepth(depth) { sessionsAlive++; }
    ~Session() override { sessionsAlive--; }

    Status name(std::string* reply) override {
        *reply = mName;
        return Status::ok();
    }

    Status next(int32_t* reply) override {
        *reply = ++mCalls;
        return Status::ok();
    }

    Status open(const std::string& name, sp<ISession>* reply) override {
        *reply = sp<Session>::make(name, mDepth + 1);
        return Status::ok();
    }

    Status depth(int32_t* reply) override {
        *reply = mDepth;
        return Status::ok();
    }

private:
    const std::string mName;
    const int32_t mDepth;
    std::atomic<int32_t> mCalls = 0;
};

class Suite : public BnSuite {
public:
    status_t dump(int fd, const android::Vector<android::String16>& args) override {
        std::string line = "suite";
        for (const android::String16& arg : args) line += std::string(" ") + android::String8(arg).c_str();
        return writeAll(fd, line + "\n") ? android::OK : -errno;
    }

    Status echo(const Record& record, Record* reply) override {
        *reply = record;
        return Status::ok();
    }

    Status orNull(const std::optional<std::string>& text, std::optional<std::string>* reply) override {
        *reply = text;
        return Status::ok();
    }

    Status repeat(const std::vector<uint8_t>& data, int32_t times, std::vector<uint8_t>* reply) override {
        for (int32_t i = 0; i < times; i++) reply->insert(reply->end(), data.begin(), data.end());
        return Status::ok();
    }

    Status raise(int32_t exception, const std::string& message) override {
        return Status::fromExceptionCode(exception, message.c_str());
    }

    Status open(const std::string& name, sp<ISession>* reply) override {
        *reply = sp<Session>::make(name, 0);
        return Status::ok();
    }

    Status sessions(int32_t* reply) override {
        *reply = sessionsAlive;
        return Status::ok();
    }

    Status inspect(const sp<ISession>& session, int32_t* reply) override {
        const Status status = session->depth(reply);
        if (IInterface::asBinder(session)->remoteBinder() != nullptr) *reply = -*reply;
        return status;
    }

    Status bounce(const sp<ISuite>& peer, int32_t depth, const std::string& text, std::string* reply) override {
        if (depth > 0) return peer->bounce(sp<ISuite>::fromExisting(this), depth - 1, text + ".", reply);
        *reply = text;
        return Status::ok();
    }

    Status addListener(const sp<IListener>& listener) override {
        const sp<Mourner> mourner = sp<Mourner>::make(wp<Suite>::fromExisting(this));
        {
            // Before linking: it may die at once.
            std::lock_guard lock(mLock);
            mListeners.emplace_back(listener, mourner);
        }
        return Status::fromStatusT(IInterface::asBinder(listener)->linkToDeath(mourner));
    }

    Status listeners(int32_t* reply) override {
        std::lock_guard lock(mLock);
        *reply = static_cast<int32_t>(mListeners.size());
        return Status::ok();
    }

    Status notifyListeners(int32_t count) override {
        std::unique_lock lock(mLock);
        const auto listeners = mListeners;
        lock.unlock();
        for (int32_t number = 0; number < count; number++) {
            for (const auto& [listener, mourner] : listeners) listener->onNote(number);
        }
        return Status::ok();
    }

    Status storm(int32_t sender, int32_t number) override {
        std::lock_guard lock(mLock);
        int32_t& next = mStorms[sender];
        // The sender of a one-way call is not reported.
        next = next == number && caller() >> 32 == 0 ? number + 1 : -1;
        return Status::ok();
    }

    Status taken(int32_t sender, int32_t* reply) override {
        std::lock_guard lock(mLock);
        *reply = mStorms[sender];
        return Status::ok();
    }

    Status rendezvous(int32_t parties) override {
        std::unique_lock lock(mLock);
        if (++mWaiting == parties) {
            mWaiting = 0;
            mMeetings++;
            mMet.notify_all();
            return Status::ok();
        }
        if (mMet.wait_for(lock, kHung, [this, meetings = mMeetings] { return mMeetings != meetings; })) {
            return Status::ok();
        }
        mWaiting--;
        return Status::fromStatusT(android::TIMED_OUT);
    }

    Status hold() override {
        std::unique_lock lock(mLock);
        mLetGo.wait_for(lock, kHung, [this] { return mLettingGo; });
        mLettingGo = false;
        return Status::ok();
    }

    Status letGo() override {
        std::lock_guard lock(mLock);
        mLettingGo = true;
        mLetGo.notify_all();
        return Status::ok();
    }

    Status swallow(const std::vector<uint8_t>& data) override {
        mSwallowed += static_cast<int32_t>(data.size());
        return Status::ok();
    }

    Status swallowed(int32_t* reply) override {
        *reply = mSwallowed;
        return Status::ok();
    }

    Status reverseFiles(const std::vector<ParcelFileDescriptor>& files,
                        std::vector<ParcelFileDescriptor>* reply) override {
        for (auto file = files.rbegin(); file != files.rend(); ++file) {
            reply->emplace_back(unique_fd(fcntl(file->get(), F_DUPFD_CLOEXEC, 0)));
        }
        return Status::ok();
    }

    Status share(const ParcelFileDescriptor& memory, int64_t* reply) override {
        struct stat stat;
        if (fstat(memory.get(), &stat) != 0) return Status::fromStatusT(-errno);
        const auto size = static_cast<size_t>(stat.st_size);
        void* const mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
        if (mapping == MAP_FAILED) return Status::fromStatusT(-errno);
        auto* const bytes = static_cast<uint8_t*>(mapping);
        *reply = std::accumulate(bytes, bytes + size, int64_t{0});
        for (size_t i = 0; i < size; i++) bytes[i]++;
        munmap(mapping, size);
        return Status::ok();
    }

    Status files(int32_t* reply) override {
        *reply = 0;
        DIR* const dir = opendir("/proc/self/fd");
        if (dir == nullptr) return Status::fromStatusT(-errno);
        while (const dirent* file = readdir(dir)) *reply += file->d_name[0] != '.';
        closedir(dir);
        return Status::ok();
    }

    Status exit(int32_t status) override { _exit(status); }

private:
    // Forgets a listener that has died.
    class Mourner : public IBinder::DeathRecipient {
    public:
        explicit Mourner(const wp<Suite>& suite) : mSuite(suite) {}

        void binderDied(const wp<IBinder>& who) override {
            const sp<Suite> suite = mSuite.promote();
            if (suite == nullptr) return;
            std::lock_guard lock(suite->mLock);
            std::erase_if(suite->mListeners,
                          [&](const auto& listener) { return who == IInterface::asBinder(listener.first); });
        }

    private:
        const wp<Suite> mSuite;
    };

    std::mutex mLock;
    // libbinder holds death recipients weakly.
    std::vector<std::pair<sp<IListener>, sp<Mourner>>> mListeners;
    // By sender, the next number, or -1.
    std::map<int32_t, int32_t> mStorms;
    // How many calls of rendezvous wait, and how often they have met.
    int32_t mWaiting = 0;
    uint32_t mMeetings = 0;
    std::condition_variable mMet;
    bool mLettingGo = false;
    std::condition_variable mLetGo;
    std::atomic<int32_t> mSwallowed = 0;
};

Record newRecord() {
    Record leaf;
    leaf.flag = true;
    leaf.small = -128;
    leaf.number = INT32_MIN;
    leaf.wide = INT64_MIN;
    leaf.real = 0.5f;
    leaf.precise = -1e300;
    leaf.text = "grüße 😀";
    leaf.kind = Kind::FANCY;
    leaf.numbers = {1, -1, INT32_MAX};
    leaf.texts = {"", "one", "three"};
    Record record = leaf;
    record.nested = {leaf, std::nullopt, Record()};
    return record;
}

// A client's calls of a suite. Each function makes some and returns what was wrong.
class Client {
public:
    explicit Client(const sp<ISuite>& suite) : mSuite(suite) {}

    Wrong records() {
        for (int i = 0; i < 100; i++) {
            Record got;
            if (Wrong wrong = good("echo", mSuite->echo(newRecord(), &got)); !wrong.empty()) return wrong;
            if (got != newRecord()) return "echo: got " + got.toString();
        }
        return "";
    }

    Wrong texts() {
        const std::optional<std::string> kTexts[] = {std::nullopt, "", "x", std::string(1, '\0'), "日本語",
                                                     std::string(20000, 'y')};
        for (const auto& text : kTexts) {
            std::optional<std::string> got;
            if (Wrong wrong = good("orNull", mSuite->orNull(text, &got)); !wrong.empty()) return wrong;
            if (got != text) return "orNull: got " + got.value_or("null") + ", want " + text.value_or("null");
        }
        return "";
    }

    Wrong exceptions() {
        for (int32_t code : {Status::EX_SECURITY, Status::EX_BAD_PARCELABLE, Status::EX_ILLEGAL_ARGUMENT,
                             Status::EX_NULL_POINTER, Status::EX_ILLEGAL_STATE, Status::EX_UNSUPPORTED_OPERATION}) {
            const Status status = mSuite->raise(code, "on request");
            if (Wrong wrong = differ("raise", status.exceptionCode(), code); !wrong.empty()) return wrong;
            Wrong wrong = differ<std::string>("raise", status.exceptionMessage().c_str(), "on request");
            if (!wrong.empty()) return wrong;
        }
        return "";
    }

    // Objects in objects, as long as they are held.
    Wrong objects() {
        std::vector<sp<ISession>> sessions(50);
        Wrong wrong = good("open", mSuite->open("session 0", &sessions[0]));
        for (size_t i = 1; i < sessions.size() && wrong.empty(); i++) {
            wrong = good("open", sessions[i - 1]->open("session " + std::to_string(i), &sessions[i]));
        }
        if (wrong.empty()) wrong = alive(50);
        for (size_t i = 0; i < sessions.size() && wrong.empty(); i++) {
            std::string name;
            int32_t depth = -1, next = -1, inspected = -1;
            wrong = good("name", sessions[i]->name(&name));
            if (wrong.empty()) wrong = good("depth", sessions[i]->depth(&depth));
            if (wrong.empty()) wrong = good("next", sessions[i]->next(&next));
            // In the service, it is a local object.
            if (wrong.empty()) wrong = good("inspect", mSuite->inspect(sessions[i], &inspected));
            if (wrong.empty()) wrong = differ("name", name, "session " + std::to_string(i));
            if (wrong.empty()) wrong = differ("depth", depth, static_cast<int32_t>(i));
            if (wrong.empty()) wrong = differ("next", next, 1);
            if (wrong.empty()) wrong = differ("inspect", inspected, static_cast<int32_t>(i));
        }
        // Drops every other one. The rest live on.
        for (size_t i = 0; i < sessions.size(); i += 2) sessions[i] = nullptr;
        if (wrong.empty()) wrong = alive(25);
        sessions.clear();
        return wrong.empty() ? alive(0) : wrong;
    }

    Wrong ownObjects() {
        const sp<Session> mine = sp<Session>::make("mine", 7);
        for (int i = 0; i < 20; i++) {
            int32_t got = 0;
            Wrong wrong = good("inspect", mSuite->inspect(mine, &got));
            if (wrong.empty()) wrong = differ("inspect", got, -7);
            if (!wrong.empty()) return wrong;
        }
        return "";
    }

    Wrong bounce(int32_t most) {
        const sp<Suite> mine = sp<Suite>::make();
        for (int32_t depth = 0; depth <= most; depth++) {
            std::string got;
            Wrong wrong = good("bounce", mSuite->bounce(mine, depth, "", &got));
            if (wrong.empty()) wrong = differ("bounce", got, std::string(depth, '.'));
            if (!wrong.empty()) return wrong;
        }
        return "";
    }

    Wrong notes() {
        const sp<Listener> listener = sp<Listener>::make();
        Wrong wrong = good("addListener", mSuite->addListener(listener));
        if (wrong.empty()) wrong = good("notifyListeners", mSuite->notifyListeners(500));
        if (!wrong.empty()) return wrong;
        std::vector<int32_t> want(500);
        std::iota(want.begin(), want.end(), 0);
        return differ("notes", listener->notes(500), want);
    }

    Wrong storm(int32_t sender) {
        // As many as fit into the half of the mapping that one-way calls may take.
        constexpr int32_t kRound = 200;
        for (int32_t number = 0; number < 5 * kRound;) {
            Wrong wrong;
            for (int32_t i = 0; i < kRound && wrong.empty(); i++) {
                wrong = good("storm", mSuite->storm(sender, number++));
            }
            if (wrong.empty()) {
                wrong = eventually("taken", number, [&](int32_t* got) { return mSuite->taken(sender, got); });
            }
            if (!wrong.empty()) return wrong;
        }
        return "";
    }

    // A one-way call for which there is no room is refused.
    Wrong full() {
        constexpr int32_t kSize = 64 << 10;
        int32_t before = 0, sent = 0;
        Wrong wrong = good("swallowed", mSuite->swallowed(&before));
        if (wrong.empty()) wrong = good("hold", mSuite->hold());
        if (!wrong.empty()) return wrong;
        Status status;
        while (sent < 100 && (status = mSuite->swallow(std::vector<uint8_t>(kSize))).isOk()) sent++;
        const Wrong letGo = good("letGo", mSuite->letGo());
        wrong = differ<status_t>("swallow", status.transactionError(), android::FAILED_TRANSACTION);
        // Half of 1 MiB - 8 KiB, less the overhead of each.
        if (wrong.empty()) wrong = differ("calls that fit", sent, 7);
        if (wrong.empty()) wrong = letGo;
        if (!wrong.empty()) return wrong;
        return eventually("swallowed", before + sent * kSize, [&](int32_t* got) { return mSuite->swallowed(got); });
    }

    Wrong rendezvous() { return good("rendezvous", mSuite->rendezvous(15)); }

    // The whole mapping, but no more.
    Wrong large() {
        constexpr size_t kMapping = (1 << 20) - 8192;
        for (size_t size : {size_t{1}, size_t{4095}, size_t{500000}, kMapping - 256}) {
            std::vector<uint8_t> got;
            const std::vector<uint8_t> data = mRandom.bytes(size);
            Wrong wrong = good("repeat", mSuite->repeat(data, 1, &got));
            if (wrong.empty()) wrong = differ("repeat", got, data);
            if (!wrong.empty()) return wrong;
        }
        std::vector<uint8_t> got;
        // Too large a call, and too large a reply.
        for (const auto& [size, times] : {std::pair(kMapping, 0), std::pair(kMapping - 256, 2)}) {
            const Status status = mSuite->repeat(std::vector<uint8_t>(size), times, &got);
            Wrong wrong = differ<status_t>("repeat", status.transactionError(), android::FAILED_TRANSACTION);
            if (!wrong.empty()) return wrong;
        }
        return "";
    }

    Wrong files() {
        constexpr size_t kFiles = 30;
        int32_t before = 0;
        Wrong wrong = good("files", mSuite->files(&before));
        for (int round = 0; round < 10 && wrong.empty(); round++) {
            std::vector<unique_fd> readers;
            std::vector<ParcelFileDescriptor> writers, back;
            for (size_t i = 0; i < kFiles; i++) {
                auto [reader, writer] = newPipe();
                readers.push_back(std::move(reader));
                writers.emplace_back(std::move(writer));
            }
            wrong = good("reverseFiles", mSuite->reverseFiles(writers, &back));
            if (wrong.empty()) wrong = differ("reverseFiles", back.size(), kFiles);
            if (!wrong.empty()) return wrong;
            writers.clear();
            for (size_t i = 0; i < kFiles; i++) writeAll(back[kFiles - 1 - i].get(), std::to_string(i));
            back.clear();
            // All write ends are closed, or this would not end.
            for (size_t i = 0; i < kFiles && wrong.empty(); i++) {
                wrong = differ("a pipe", readAll(readers[i]), std::to_string(i));
            }
        }
        if (!wrong.empty()) return wrong;
        return eventually("files", before, [&](int32_t* got) { return mSuite->files(got); });
    }

    Wrong memory() {
        constexpr size_t kSize = 64 << 10;
        const std::vector<uint8_t> data = mRandom.bytes(kSize);
        ParcelFileDescriptor memory(unique_fd(memfd_create("memory", MFD_CLOEXEC)));
        if (write(memory.get(), data.data(), kSize) != static_cast<ssize_t>(kSize)) return "memfd_create";
        int64_t got = 0;
        Wrong wrong = good("share", mSuite->share(memory, &got));
        if (wrong.empty()) wrong = differ("share", got, std::accumulate(data.begin(), data.end(), int64_t{0}));
        std::vector<uint8_t> after(kSize), want = data;
        for (uint8_t& byte : want) byte++;
        if (pread(memory.get(), after.data(), kSize, 0) != static_cast<ssize_t>(kSize)) return "pread";
        return wrong.empty() ? differ("share", after, want) : wrong;
    }

    Wrong dump() {
        auto [reader, writer] = newPipe();
        android::Vector<android::String16> args;
        args.push_back(android::String16("one"));
        args.push_back(android::String16("two"));
        const status_t status = IInterface::asBinder(mSuite)->dump(writer.get(), args);
        writer.reset();
        Wrong wrong = differ<status_t>("dump", status, android::OK);
        return wrong.empty() ? differ<std::string>("dump", readAll(reader), "suite one two\n") : wrong;
    }

    Wrong extension() {
        sp<IBinder> extension;
        const status_t status = IInterface::asBinder(mSuite)->getExtension(&extension);
        Wrong wrong = differ<status_t>("getExtension", status, android::OK);
        if (!wrong.empty()) return wrong;
        const sp<IEcho> echo = android::interface_cast<IEcho>(extension);
        if (echo == nullptr) return "getExtension: none, or another";
        std::string got;
        wrong = good("upper", echo->upper("extended", &got));
        return wrong.empty() ? differ<std::string>("upper", got, "EXTENDED") : wrong;
    }

    // Every object's recipient is notified of the service's death, which happens in the
    // middle of a call.
    Wrong death() {
        class Mourner : public IBinder::DeathRecipient {
        public:
            void binderDied(const wp<IBinder>&) override {
                if (++deaths == 30) done.set_value();
            }
            std::atomic<int> deaths = 0;
            std::promise<void> done;
        };
        const sp<Mourner> mourner = sp<Mourner>::make(), unlinked = sp<Mourner>::make();
        std::vector<sp<ISession>> sessions(30);
        for (auto& session : sessions) {
            Wrong wrong = good("open", mSuite->open("mortal", &session));
            if (!wrong.empty()) return wrong;
            IInterface::asBinder(session)->linkToDeath(mourner);
            IInterface::asBinder(session)->linkToDeath(unlinked);
            IInterface::asBinder(session)->unlinkToDeath(unlinked);
        }
        Wrong wrong = differ<status_t>("exit", mSuite->exit(7).transactionError(), android::DEAD_OBJECT);
        if (wrong.empty() && mourner->done.get_future().wait_for(kHung) != std::future_status::ready) {
            wrong = differ<int>("deaths", mourner->deaths, 30);
        }
        if (wrong.empty()) wrong = differ<int>("deaths reported to an unlinked recipient", unlinked->deaths, 0);
        if (!wrong.empty()) return wrong;
        int32_t got = 0;
        return differ<status_t>("a dead service", sessions[0]->next(&got).transactionError(), android::DEAD_OBJECT);
    }

private:
    static Wrong good(const std::string& what, const Status& status) {
        return status.isOk() ? "" : what + ": " + status.toString8().c_str();
    }

    // For states that nothing reports.
    static Wrong eventually(const std::string& what, int32_t want, const std::function<Status(int32_t*)>& call) {
        const auto end = Clock::now() + kHung;
        for (;;) {
            int32_t got = -1;
            const Wrong wrong = good(what, call(&got));
            if (!wrong.empty() || got == want || Clock::now() > end) {
                return wrong.empty() ? differ(what, got, want) : wrong;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

    Wrong alive(int32_t sessions) {
        return eventually("sessions", sessions, [&](int32_t* got) { return mSuite->sessions(got); });
    }

    const sp<ISuite> mSuite;
    Random mRandom;
};

// Runs something in several threads at once, each with its own Client.
Wrong threads(int count, const sp<ISuite>& suite, const std::function<Wrong(Client&, int)>& f) {
    return inThreads(count, [&](int i) {
        Client client(suite);
        return f(client, i);
    });
}

}  // namespace

int runSuite(const std::string& name) {
    sentrybinder::open();
    const sp<Suite> suite = sp<Suite>::make();
    suite->setExtension(newEcho(false));
    if (!addService(name, suite)) {
        say("refused");
        return 1;
    }
    say("registered");
    serve();
}

int runSuiteClient(const std::string& name, const std::string& server) {
    Report report;
    sentrybinder::open();
    const sp<IBinder> service = findService(name);
    const sp<ISuite> suite = service == nullptr ? nullptr : android::interface_cast<ISuite>(service);
    if (suite == nullptr) {
        report.check(server, "lookup", "waiting for the suite", 1, name + " not found");
        return report.finish();
    }
    Client client(suite);
    const auto check = [&](const char* kind, const char* what, int calls, const Wrong& wrong) {
        report.check(server, kind, what, calls, wrong);
    };
    check("sync", "a parcelable with one of each type", 100, client.records());
    check("sync", "strings and null", 6, client.texts());
    check("error", "exceptions", 6, client.exceptions());
    check("object", "objects in objects, as long as they are held", 250, client.objects());
    check("object", "a service calls an object of the client's", 20, client.ownObjects());
    check("object", "an object's extension", 2, client.extension());
    check("callback", "calls back and forth, twenty deep", 21, client.bounce(20));
    check("callback", "from four threads at once", 4 * 13,
          threads(4, suite, [](Client& client, int) { return client.bounce(12); }));
    check("callback", "one-way calls to a listener, in order", 502, client.notes());
    check("threads", "15 calls that wait for each other", 15,
          threads(15, suite, [](Client& client, int) { return client.rendezvous(); }));
    check("oneway", "a storm from four threads, each in order", 4 * 1000,
          threads(4, suite, [](Client& client, int i) { return client.storm(i); }));
    check("oneway", "a storm that does not fit is refused, and does no harm", 11, client.full());
    check("large", "the whole mapping, but no more", 6, client.large());
    check("fd", "file descriptors there and back", 12, client.files());
    check("fd", "a service's dump", 1, client.dump());
    check("memory", "memory that both have mapped", 1, client.memory());
    check("death", "every recipient of every object is notified, once", 32, client.death());
    return report.finish();
}

}  // namespace sentrybinder
