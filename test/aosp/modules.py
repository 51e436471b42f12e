# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""The parts of AOSP that are built: what matters here of its Android.bp files.

Paths are relative to AOSP's source, or, with "stubs/" in front, to this
directory. ninja.py makes a ninja file of it.
"""

from dataclasses import dataclass, field

NATIVE = "frameworks/native/"
BINDER = NATIVE + "libs/binder/"
NDK = BINDER + "ndk/"
TESTS = BINDER + "tests/"
FUZZER = TESTS + "parcel_fuzzer/"
CMDS = NATIVE + "cmds/"
CORE = "system/core/"
BASE = "system/libbase/"

# Android's places. A test's path is NATIVE_TESTS/NAME/NAME.
LIBRARIES = "/system/lib64"
NATIVE_TESTS = "/data/nativetest64"

# Before and after what a module includes itself.
INCLUDES = [
    "stubs",
    BINDER + "include",
    NDK + "include_cpp",
    "system/core/libprocessgroup/include",
    "system/core/libutils/include",
    "system/core/libcutils/include",
    "system/core/libsystem/include",
    "system/core/include",
    "system/libbase/include",
    "system/logging/liblog/include",
    "external/fmtlib/include",
    "libnativehelper/include_jni",
]
INCLUDES_NDK = [NDK + "include_ndk", NDK + "include_platform"]

# For headers that are not in the source. Other versions of those in the source are here,
# too.
DEBIAN_HEADERS = "-idirafter /usr/include/android"

# Debian's libraries, from the same source.
ANDROID = ["utils", "cutils", "base", "log"]


@dataclass
class Aidl:
    """Interfaces from which C++ is generated.

    Attributes:
        name: of the output directory
        root: the parent of the packages' directories
        files: relative to root
        lang: cpp or ndk
        imports: where else to look for types
        flags: for the compiler
    """

    name: str
    root: str
    files: list[str]
    lang: str = "cpp"
    imports: list[str] = field(default_factory=list)
    flags: str = ""


@dataclass
class Module:
    """A library or a program.

    Attributes:
        out: its path in the root, or lib*.a if it is linked into others
        srcs: files, or glob-free paths; an Aidl stands for what is generated from it
        uses: modules whose symbols it needs, and whose headers it may include
        aidl: interfaces whose C++ is part of it
        flags: for all its files
        file_flags: for some of them
        includes: directories, for itself
        exports: directories, for itself and its users
        proto: a protocol buffer whose C++ is in gen/, in a directory of its name
        libs: Debian's, in addition to ANDROID
    """

    out: str
    srcs: list[str]
    uses: list["Module"] = field(default_factory=list)
    aidl: list[Aidl] = field(default_factory=list)
    flags: str = ""
    file_flags: dict[str, str] = field(default_factory=dict)
    includes: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    proto: str = ""
    libs: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.out.strip("/").replace("/", "_")

    @property
    def static(self) -> bool:
        return self.out.endswith(".a")

    @property
    def shared(self) -> bool:
        return ".so" in self.out


MODULES: list[Module] = []


def module(*args, **kwargs) -> Module:
    MODULES.append(Module(*args, **kwargs))
    return MODULES[-1]


# Files that the root contains as they are, concatenated, by their path there.
FILES: dict[str, list[str]] = {}


def copy(out: str, srcs: list[str]) -> None:
    FILES[out] = srcs


def under(directory: str, names: str) -> list[str]:
    return [directory + name for name in names.split()]


# The libraries.

libbinder = module(
    f"{LIBRARIES}/libbinder.so",
    under(
        BINDER,
        # libbinder_common_defaults
        "Binder.cpp BpBinder.cpp Debug.cpp FdTrigger.cpp IInterface.cpp IResultReceiver.cpp Parcel.cpp"
        " ParcelFileDescriptor.cpp RecordedTransaction.cpp RpcSession.cpp RpcServer.cpp RpcState.cpp Stability.cpp"
        " Status.cpp TextOutput.cpp Trace.cpp Utils.cpp"
        # libbinder_android_defaults
        " OS.cpp RpcTransportRaw.cpp UtilsHost.cpp"
        # libbinder_kernel_defaults
        " BufferedTextOutput.cpp IPCThreadState.cpp IServiceManager.cpp ProcessState.cpp Static.cpp"
        " ServiceManagerHost.cpp IPermissionController.cpp PermissionCache.cpp PermissionController.cpp"
        # libbinder
        " IMemory.cpp IShellCallback.cpp LazyServiceRegistrar.cpp MemoryBase.cpp MemoryDealer.cpp"
        " MemoryHeapBase.cpp ParcelableHolder.cpp PersistableBundle.cpp",
    )
    # Debian's libutils lacks this.
    + ["system/core/libutils/Errors.cpp"],
    aidl=[
        Aidl(
            "libbinder",
            BINDER + "aidl/",
            under(
                "android/os/",
                "ConnectionInfo.aidl IClientCallback.aidl IServiceCallback.aidl IServiceManager.aidl"
                " ServiceDebugInfo.aidl",
            )
            # packagemanager_aidl-cpp, a separate library
            + under(
                "android/content/pm/",
                "IPackageChangeObserver.aidl IPackageManagerNative.aidl PackageChangeEvent.aidl"
                " IStagedApexObserver.aidl ApexStagedEvent.aidl StagedApexInfo.aidl",
            ),
        )
    ],
    flags="-DBINDER_WITH_KERNEL_IPC -DBINDER_RPC_DEV_SERVERS -DBINDER_ENABLE_RECORDING"
    " -DANDROID_UTILS_REF_BASE_DISABLE_IMPLICIT_CONSTRUCTION -DANDROID_BASE_UNIQUE_FD_DISABLE_IMPLICIT_CONVERSION",
    # Only Android has the ioctls.
    file_flags={BINDER + "IPCThreadState.cpp": "-D__ANDROID__"},
)

libbinder_ndk = module(
    f"{LIBRARIES}/libbinder_ndk.so",
    under(
        NDK,
        "ibinder.cpp ibinder_jni.cpp libbinder.cpp parcel.cpp parcel_jni.cpp process.cpp stability.cpp status.cpp"
        " service_manager.cpp",
    )
    + [NATIVE + "libs/android_runtime_lazy/android_runtime_lazy.cpp"],
    uses=[libbinder],
    includes=[NATIVE + "libs/android_runtime_lazy/include"],
    exports=INCLUDES_NDK,
)

# The service managers. Android's Access.cpp asks SELinux.

manager = dict(uses=[libbinder], flags="-DANDROID_UTILS_REF_BASE_DISABLE_IMPLICIT_CONSTRUCTION")
manager_srcs = [CMDS + "servicemanager/ServiceManager.cpp", "stubs/access.cpp"]
manager_main = [CMDS + "servicemanager/main.cpp", "stubs/set_property.cpp"]
module("/system/bin/servicemanager", manager_srcs + manager_main, includes=[CMDS + "servicemanager"], **manager)
module(
    "/vendor/bin/vndservicemanager",
    manager_srcs + manager_main,
    includes=[CMDS + "servicemanager"],
    uses=[libbinder],
    flags=manager["flags"] + " -DVENDORSERVICEMANAGER=1",
)

# The same, unmodified, as on Android: these ask SELinux. Only Access.cpp is told that
# this is Android.
module(
    "/vendor/bin/vndservicemanager.selinux",
    [
        CMDS + "servicemanager/ServiceManager.cpp",
        CMDS + "servicemanager/Access.cpp",
        "stubs/selinux_android.cpp",
        *manager_main,
    ],
    includes=[CMDS + "servicemanager"],
    uses=[libbinder],
    flags=manager["flags"] + " -DVENDORSERVICEMANAGER=1",
    file_flags={
        CMDS + "servicemanager/Access.cpp": f"-D__ANDROID__ {DEBIAN_HEADERS}",
        "stubs/selinux_android.cpp": DEBIAN_HEADERS,
    },
    # android/ has another one, which lacks most of it.
    libs=["/usr/lib/x86_64-linux-gnu/libselinux.so.1"],
)

# The tools.

# On another system it asks adb for a device.
android = "-D__ANDROID__ -DXP_UNIX"
module("/system/bin/service", [CMDS + "service/service.cpp"], uses=[libbinder], flags=android)
module(
    "/vendor/bin/vndservice", [CMDS + "service/service.cpp"], uses=[libbinder], flags=android + " -DVENDORSERVICES"
)

binderdebug = module(
    "libbinderdebug.a",
    [NATIVE + "libs/binderdebug/BinderDebug.cpp"],
    uses=[libbinder],
    exports=[NATIVE + "libs/binderdebug/include"],
)
module(
    "/system/bin/dumpsys",
    [CMDS + "dumpsys/dumpsys.cpp", CMDS + "dumpsys/main.cpp", NATIVE + "services/utils/PriorityDumper.cpp"],
    uses=[binderdebug, libbinder],
    includes=[NATIVE + "services/utils/include"],
)
module(
    "/system/bin/cmd",
    [CMDS + "cmd/cmd.cpp", CMDS + "cmd/main.cpp", "stubs/selinux.cpp"],
    uses=[libbinder],
    # In C++20, libstdc++ does not compare what cmd compares.
    flags=f"-std=gnu++17 -DXP_UNIX {DEBIAN_HEADERS}",
)


# The log. Debian's liblog writes to standard error, as on any system but Android. This
# one writes to logd, for programs that run with LD_LIBRARY_PATH=/system/lib64/logd.

LOG = "system/logging/"
event_tags = "-DAUDITD_LOG_TAG=1003 -DTAG_DEF_LOG_TAG=1005 -DLIBLOG_LOG_TAG=1006 -DSNET_EVENT_LOG_TAG=1397638484"


def log_library(out: str) -> Module:
    return module(
        out,
        under(
            LOG + "liblog/",
            "log_event_list.cpp log_event_write.cpp logger_name.cpp logger_read.cpp logger_write.cpp logprint.cpp"
            " properties.cpp event_tag_map.cpp log_time.cpp pmsg_reader.cpp pmsg_writer.cpp logd_reader.cpp"
            " logd_writer.cpp",
        ),
        flags=event_tags + " -DANDROID_DEBUGGABLE=0",
        # Writers and readers. There are no properties.
        file_flags={
            LOG + "liblog/logger_read.cpp": "-D__ANDROID__",
            LOG + "liblog/properties.cpp": "-D__ANDROID__",
            LOG + "liblog/logger_write.cpp": "-D__ANDROID__ -include android/set_abort_message.h",
        },
        includes=["stubs/bionic"],
    )


log_library(f"{LIBRARIES}/logd/liblog.so.0")
liblog = log_library("liblog.a")

liblogd = module(
    "liblogd.a",
    under(
        LOG + "logd/",
        "CompressionEngine.cpp LogBufferElement.cpp LogReaderList.cpp LogReaderThread.cpp LogSize.cpp"
        " LogStatistics.cpp LogTags.cpp LogdLock.cpp PruneList.cpp SerializedFlushToState.cpp SerializedLogBuffer.cpp"
        " SerializedLogChunk.cpp SimpleLogBuffer.cpp",
    ),
    uses=[liblog, libbinder],
    flags=event_tags + " -include test.h",
    aidl=[Aidl("ILogcatManagerService", "stubs/aidl/", ["android/os/logcat/ILogcatManagerService.aidl"])],
    exports=[LOG + "logd", "stubs/bionic"],
)
liblogd_libs = ["-lz", "-lzstd"]

libsysutils = module(
    "libsysutils.a",
    under(CORE + "libsysutils/src/", "FrameworkCommand.cpp FrameworkListener.cpp SocketClient.cpp SocketListener.cpp"),
    flags="-include test.h",
    exports=[CORE + "libsysutils/include"],
)

module(
    "/system/bin/logd",
    under(
        LOG + "logd/",
        "libaudit.cpp main.cpp CommandListener.cpp LogdNativeService.cpp LogAudit.cpp LogKlog.cpp LogListener.cpp"
        " LogPermissions.cpp LogReader.cpp TrustyLog.cpp PkgIds.cpp",
    )
    + under(CORE, "libpackagelistparser/packagelistparser.cpp libcutils/android_get_control_file.cpp")
    + ["stubs/sched_policy.cpp"],
    uses=[liblogd, libsysutils, liblog, libbinder],
    flags=event_tags + " -include test.h",
    # glibc's header lacks names for them.
    file_flags={LOG + "logd/main.cpp": "-DKLOG_READ=2 -DKLOG_READ_ALL=3 -DKLOG_SIZE_UNREAD=9 -DKLOG_SIZE_BUFFER=10"},
    aidl=[Aidl("liblogd_binder", LOG + "logd/binder/", ["android/os/ILogd.aidl"])],
    includes=[CORE + "libpackagelistparser/include"],
    libs=[*liblogd_libs, "-lcap"],
)

module(
    "/system/bin/logcat",
    [LOG + "logcat/logcat.cpp", LOG + "logcat/process_names.cpp", "gen/logcat/logcat.pb.cc", "stubs/sched_policy.cpp"],
    uses=[liblog],
    flags="-include test.h -include bionic/wait_for_property.h -DM_PURGE_ALL=-104"
    " -DANDROID_BASE_UNIQUE_FD_DISABLE_IMPLICIT_CONVERSION=1",
    proto=LOG + "logcat/logcat.proto",
    libs=["-Wl,-Bstatic -lprotobuf-lite -Wl,-Bdynamic"],
)


# The tests.

gtest = ["/usr/lib/x86_64-linux-gnu/libgtest.a"]
gtest_main = ["/usr/lib/x86_64-linux-gnu/libgtest_main.a", *gtest]
gmock = ["/usr/lib/x86_64-linux-gnu/libgmock.a", *gtest]
gmock_main = ["/usr/lib/x86_64-linux-gnu/libgmock_main.a", *gmock]


def test(
    name: str, srcs: list[str], uses: list[Module], libs: list[str] = gtest, flags: str = "", where: str = "", **kwargs
) -> Module:
    """Adds a program to NATIVE_TESTS/where, by default a directory of its name."""
    flags = f"-include test.h {flags}".strip()
    return module(f"{NATIVE_TESTS}/{where or name}/{name}", srcs, uses, libs=libs, flags=flags, **kwargs)


def simple_test(name: str, libs: list[str] = gtest, **kwargs) -> Module:
    return test(name, [f"{TESTS}{name}.cpp"], [libbinder], libs, **kwargs)


def ndk_and_cpp(name: str, root: str, files: list[str]) -> list[Aidl]:
    return [Aidl(name, root, files), Aidl(name + "-ndk", root, files, lang="ndk")]


simple_test("binderDriverInterfaceTest")
simple_test("binderSafeInterfaceTest")
simple_test("binderClearBufTest")
simple_test("binderTextOutputTest", gtest_main)
simple_test("binderUtilsHostTest", gmock_main)
simple_test("binderRpcWireProtocolTest", gtest_main)
simple_test("binderThroughputTest", libs=[])
simple_test("schd-dbg", libs=[])

test("binderLibTest", [TESTS + "binderLibTest.cpp", "stubs/debuggable.cpp"], [libbinder], gmock)

test(
    "binderUnitTest",
    under(
        TESTS,
        "binderParcelUnitTest.cpp binderBinderUnitTest.cpp binderStatusUnitTest.cpp binderMemoryHeapBaseUnitTest.cpp"
        " binderRecordedTransactionTest.cpp",
    ),
    [libbinder],
    gtest_main,
)

test(
    "binderStabilityTest",
    [TESTS + "binderStabilityTest.cpp"],
    [libbinder_ndk, libbinder],
    aidl=ndk_and_cpp("binderStabilityTestIface", TESTS, ["IBinderStabilityTest.aidl"]),
)

random_parcel = module(
    "libbinder_random_parcel.a",
    under(
        FUZZER,
        "random_binder.cpp random_fd.cpp random_parcel.cpp libbinder_driver.cpp libbinder_ndk_driver.cpp"
        " random_parcel_seeds.cpp",
    ),
    [libbinder_ndk, libbinder],
    exports=[FUZZER + "include_random_parcel", FUZZER + "include_random_parcel_seeds"],
)
test(
    "binderRecordReplayTest",
    [TESTS + "binderRecordReplayTest.cpp"],
    [random_parcel, libbinder_ndk, libbinder],
    aidl=[
        Aidl(
            "binderRecordReplayTestIface", TESTS, ["IBinderRecordReplayTest.aidl"], imports=[FUZZER]
        ),
        Aidl(
            "binderReadParcelIface",
            FUZZER,
            under("parcelables/", "EmptyParcelable.aidl SingleDataParcelable.aidl GenericDataParcelable.aidl"),
        ),
    ],
)

test(
    "libbinderdebug_test",
    [NATIVE + "libs/binderdebug/tests/binderdebug_test.cpp"],
    [binderdebug, libbinder],
    aidl=[Aidl("libbinderdebug_test", NATIVE + "libs/binderdebug/tests/", ["android/binderdebug/test/IControl.aidl"])],
)

test(
    "libbinder_ndk_unit_test",
    [NDK + "tests/libbinder_ndk_unit_test.cpp", NDK + "tests/iface.cpp"],
    [libbinder_ndk, libbinder],
    includes=[NDK + "tests/include"],
    aidl=ndk_and_cpp("IBinderNdkUnitTest", NDK + "tests/", ["IBinderNdkUnitTest.aidl", "IEmpty.aidl"]),
)

test(
    "servicemanager_test",
    [CMDS + "servicemanager/test_sm.cpp", *manager_srcs],
    [libbinder],
    gmock_main,
    flags=manager["flags"],
    includes=[CMDS + "servicemanager"],
)

fakeservicemanager = module(
    "libfakeservicemanager.a",
    [NATIVE + "libs/fakeservicemanager/FakeServiceManager.cpp"],
    [libbinder],
    exports=[NATIVE + "libs/fakeservicemanager/include"],
)
test("fakeservicemanager_test", [NATIVE + "libs/fakeservicemanager/test_sm.cpp"], [fakeservicemanager, libbinder], gmock_main)
test(
    "libbinder_ndk_unit_test_host",
    [NDK + "tests/libbinder_ndk_unit_test_host.cpp"],
    [fakeservicemanager, libbinder_ndk, libbinder],
    gmock,
)

# RPC over sockets and TLS.

ssl = ["-lssl", "-lcrypto"]
binder_tls = module(
    "libbinder_tls.a",
    [BINDER + "RpcTransportTls.cpp", BINDER + "RpcTlsUtils.cpp", TESTS + "RpcTlsTestUtils.cpp"],
    [libbinder],
    flags="-include test.h " + DEBIAN_HEADERS,
    exports=[BINDER + "include_tls", TESTS + "include_tls_test_utils"],
)
test("RpcTlsUtilsTest", [TESTS + "RpcTlsUtilsTest.cpp"], [binder_tls, libbinder], gtest_main + ssl, flags=DEBIAN_HEADERS)

rpc = module(
    "libbinderRpcTest.a",
    [TESTS + "binderRpcTestCommon.cpp"],
    [binder_tls, libbinder_ndk, libbinder],
    flags="-include test.h -DBINDER_WITH_KERNEL_IPC " + DEBIAN_HEADERS,
    aidl=ndk_and_cpp(
        "binderRpcTestIface",
        TESTS,
        under(
            "",
            "BinderRpcTestClientInfo.aidl BinderRpcTestServerConfig.aidl BinderRpcTestServerInfo.aidl"
            " IBinderRpcCallback.aidl IBinderRpcSession.aidl IBinderRpcTest.aidl ParcelableCertificateData.aidl",
        ),
    ),
)
rpc_flags = "-DBINDER_WITH_KERNEL_IPC " + DEBIAN_HEADERS
rpc_uses = [rpc, binder_tls, libbinder_ndk, libbinder]
test(
    "binderRpcTest",
    [TESTS + "binderRpcTest.cpp", TESTS + "binderRpcUniversalTests.cpp", "stubs/debuggable.cpp"],
    rpc_uses,
    gtest + ssl,
    flags=rpc_flags,
)
test(
    "binder_rpc_test_service",
    [TESTS + "binderRpcTestService.cpp"],
    rpc_uses,
    gtest + ssl,
    flags=rpc_flags,
    where="binderRpcTest",
)

# The tests of the libraries below libbinder. Debian builds the libraries for any Linux;
# what differs on a device is built here, as for a device. Not optimizing saves half of
# the time, and the kernel gets the same requests.

device = "-include device.h"
quick = "-O0"

CUTILS = CORE + "libcutils/"
libcutils = module(
    "libcutils.a",
    under(CUTILS, "android_get_control_file.cpp ashmem-dev.cpp sockets_unix.cpp"),
    flags="-include test.h -D__ANDROID__",
)

PROCESS_GROUP = CORE + "libprocessgroup/"
libprocessgroup = module(
    "libprocessgroup.a",
    under(
        PROCESS_GROUP,
        "cgroup_map.cpp processgroup.cpp sched_policy.cpp task_profiles.cpp"
        # libcgrouprc, libcgrouprc_format, libprocessgroup_setup
        " cgrouprc/cgroup_controller.cpp cgrouprc/cgroup_file.cpp cgrouprc_format/cgroup_controller.cpp"
        " setup/cgroup_map_write.cpp",
    ),
    flags=f"-include test.h -D__ANDROID__ {quick}",
    exports=[PROCESS_GROUP, *under(PROCESS_GROUP, "cgrouprc/include cgrouprc_format/include setup/include")],
    includes=["/usr/include/jsoncpp"],
)
# init's work before it starts anything else.
module(f"{NATIVE_TESTS}/cgroup_setup", ["stubs/cgroup_setup.cpp"], [libprocessgroup], libs=["-ljsoncpp"])
copy("/etc/cgroups.json", [PROCESS_GROUP + "profiles/cgroups.json"])
copy("/etc/task_profiles.json", [PROCESS_GROUP + "profiles/task_profiles.json"])

test(
    "task_profiles_test",
    [PROCESS_GROUP + "task_profiles_test.cpp"],
    [libprocessgroup],
    [*gmock_main, "-ljsoncpp"],
    flags=f"{device} {quick}",
)

test(
    "libcutils_test",
    under(
        CUTILS,
        "android_get_control_file_test.cpp android_get_control_socket_test.cpp fs_config_test.cpp multiuser_test.cpp"
        " native_handle_test.cpp properties_test.cpp sched_policy_test.cpp sockets_test.cpp str_parms_test.cpp"
        " trace-dev_test.cpp",
    ),
    [libcutils, libprocessgroup],
    [*gtest_main, "-ljsoncpp"],
    flags=quick,
    # In C++20, libc++ has C's atomic types.
    file_flags={CUTILS + "trace-dev_test.cpp": "'-D_Atomic(T)=std::atomic<T>'"},
    includes=["stubs/bionic"],
)
# On a device it contains all files of libcutils_test, and runs this one's tests.
test(
    "KernelLibcutilsTest",
    [CUTILS + "ashmem_test.cpp"],
    [libcutils],
    gtest_main,
    flags=f"-include linux/ashmem.h {quick}",
)

UTILS = CORE + "libutils/"
singleton1 = module(f"{NATIVE_TESTS}/libutils_test/libutils_test_singleton1.so", [UTILS + "Singleton_test1.cpp"])
module(f"{NATIVE_TESTS}/libutils_test/libutils_test_singleton2.so", [UTILS + "Singleton_test2.cpp"], [singleton1])
test(
    "libutils_test",
    under(
        UTILS,
        "BitSet_test.cpp CallStack_test.cpp Errors_test.cpp FileMap_test.cpp LruCache_test.cpp Looper_test.cpp"
        " Mutex_test.cpp RefBase_test.cpp SharedBuffer_test.cpp Singleton_test.cpp String16_test.cpp String8_test.cpp"
        " StrongPointer_test.cpp SystemClock_test.cpp Timers_test.cpp Unicode_test.cpp Vector_test.cpp"
        # libutilscallstack; Errors.cpp is not in Debian's libutils
        " CallStack.cpp Errors.cpp",
    ),
    [],
    # One test looks for the names of functions.
    [*gtest_main, "-lbacktrace", "-rdynamic"],
    flags=quick,
    includes=["system/unwinding/libunwindstack/include"],
)

test(
    "libbase_test",
    under(
        BASE,
        "chrono_utils_test.cpp cmsg_test.cpp endian_test.cpp errors_test.cpp expected_test.cpp file_test.cpp"
        " function_ref_test.cpp hex_test.cpp logging_splitters_test.cpp logging_test.cpp macros_test.cpp"
        " mapped_file_test.cpp no_destructor_test.cpp parsebool_test.cpp parsedouble_test.cpp parseint_test.cpp"
        " parsenetaddress_test.cpp process_test.cpp properties_test.cpp result_test.cpp scopeguard_test.cpp"
        " stringprintf_test.cpp strings_test.cpp test_main.cpp test_utils_test.cpp",
    ),
    [],
    gmock,
    # Exceptions from elsewhere end the process, as some tests expect.
    flags=f"{quick} -fno-exceptions",
    includes=[BASE],
)

test(
    "libsysutils_tests",
    [CORE + "libsysutils/src/SocketListener_test.cpp"],
    [libsysutils, libcutils],
    gtest_main,
    flags=quick,
)

test(
    "liblog-unit-tests",
    under(
        LOG + "liblog/tests/",
        "libc_test.cpp liblog_default_tag.cpp liblog_global_state.cpp liblog_test.cpp log_id_test.cpp"
        " log_radio_test.cpp log_read_test.cpp log_system_test.cpp log_time_test.cpp log_wrap_test.cpp"
        " logd_writer_test.cpp logprint_test.cpp",
    ),
    [liblog],
    gtest_main,
    flags=f"{quick} -fno-builtin",
    # The others need properties, which are bionic's if they are as on a device. And
    # before C++20, UTF-8 was char.
    file_flags=dict.fromkeys(
        under(
            LOG + "liblog/tests/",
            "libc_test.cpp liblog_test.cpp log_radio_test.cpp log_read_test.cpp log_system_test.cpp log_wrap_test.cpp"
            " logd_writer_test.cpp",
        ),
        device,
    )
    | {LOG + "liblog/tests/logprint_test.cpp": "-fno-char8_t"},
)
test(
    "logd-unit-tests",
    under(
        LOG + "logd/",
        "logd_test.cpp LogBufferTest.cpp SerializedLogBufferTest.cpp SerializedLogChunkTest.cpp"
        " SerializedFlushToStateTest.cpp",
    ),
    [liblogd, liblog, libbinder],
    [*gtest_main, *liblogd_libs],
    flags=f"{device} {quick} {event_tags} {DEBIAN_HEADERS} -include grp.h",
)
# A device's has its other programs' tags, too.
copy(
    "/system/etc/event-log-tags",
    under(LOG, "liblog/event.logtags logcat/event.logtags logd/event.logtags")
    + under(CORE, "libsysutils/EventLogTags.logtags storaged/EventLogTags.logtags")
    + under(
        NATIVE + "services/",
        "inputflinger/dispatcher/EventLogTags.logtags surfaceflinger/EventLog/EventLogTags.logtags",
    ),
)

# Our own.
module(f"{NATIVE_TESTS}/stand_in", ["stubs/stand_in.cpp"], [libbinder])
