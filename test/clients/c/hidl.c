// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// A HIDL service and its client. HIDL passes data in separate buffers, whose
// addresses the driver writes to the buffers that they belong to, and file
// descriptors in arrays within them. A reply starts with int32 0.
//
//    1  upper(string) generates (string)
//    2  reverse(vec<string>) generates (vec<string>)
//    3  halve(vec<uint32_t>) generates (vec<uint32_t>)
//    4  change(Record) generates (Record)
//    5  join(vec<Record>) generates (string)
//    6  write(handle, string)                  writes the string into all files of the handle
//    7  open(uint32_t n) generates (handle)    n pipes, each with its number in it
//    8  callBack(IListener, string) generates (string)
//    9  sum(fmq_sync<uint32_t>) generates (uint64_t)
//   10  oneway note(string)

#define _GNU_SOURCE
#include "gb_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INTERFACE "org.sentrybinder.test@1.0::IEcho"
#define LISTENER "org.sentrybinder.test@1.0::IListener"

enum { UPPER = 1, REVERSE, HALVE, CHANGE, JOIN, WRITE, OPEN, CALL_BACK, SUM, NOTE };

typedef struct {
	GBinderHidlString title;
	GBinderHidlVec numbers;
	GBinderHidlVec names;
	guint32 id;
	guint32 pad;
} Record;

static const GBinderWriterField record_fields[] = {
	GBINDER_WRITER_FIELD_HIDL_STRING(Record, title),
	GBINDER_WRITER_FIELD_HIDL_VEC_INT32(Record, numbers),
	GBINDER_WRITER_FIELD_HIDL_VEC_STRING(Record, names),
	GBINDER_WRITER_FIELD_END(),
};

static const GBinderWriterType record_type = { GBINDER_WRITER_STRUCT_NAME_AND_SIZE(Record), record_fields };

// A queue in shared memory, in HIDL's format.
typedef struct {
	GBinderHidlVec grantors;
	union {
		guint64 value;
		const GBinderFds *fds;
	} data;
	guint32 quantum;
	guint32 flags;
} Queue;

typedef struct {
	guint32 flags;
	guint32 fd_index;
	guint32 offset;
	guint32 pad;
	guint64 extent;
} Grantor;

// The places in a queue's memory, in the order of its grantors.
enum { READ_COUNT, WRITE_COUNT, ITEMS, EVENT, GRANTORS };

// The bit with which the service reports that the queue is empty.
#define DRAINED 2

// Fills in a string whose characters the writer owns.
static void set_string(GBinderWriter *writer, GBinderHidlString *s, const char *text)
{
	s->data.str = gbinder_writer_strdup(writer, text);
	s->len = strlen(text);
	s->owns_buffer = TRUE;
}

static void set_vec(GBinderWriter *writer, GBinderHidlVec *v, const void *elements, guint n, gsize size)
{
	v->data.ptr = gbinder_writer_memdup(writer, elements, n * size);
	v->count = n;
	v->owns_buffer = TRUE;
}

// Reads a Record, whose buffers follow it in the order of its fields.
static const Record *read_record(GBinderReader *reader)
{
	const Record *record = gbinder_reader_read_hidl_struct(reader, Record);
	guint i;

	if (!record || !gbinder_reader_skip_buffer(reader) || !gbinder_reader_skip_buffer(reader) ||
		!gbinder_reader_skip_buffer(reader)) {
		return NULL;
	}
	for (i = 0; i < record->names.count; i++) {
		gbinder_reader_skip_buffer(reader);
	}
	return record;
}

// Formats a Record on one line.
static char *describe(const Record *record)
{
	const GBinderHidlString *names = record->names.data.ptr;
	const guint32 *numbers = record->numbers.data.ptr;
	GString *out = g_string_new(NULL);
	guint i;

	g_string_append_printf(out, "%u %.*s", record->id, (int) record->title.len, record->title.data.str);
	for (i = 0; i < record->numbers.count; i++) {
		g_string_append_printf(out, " %u", numbers[i]);
	}
	for (i = 0; i < record->names.count; i++) {
		g_string_append_printf(out, " %s", names[i].data.str);
	}
	return g_string_free(out, FALSE);
}

static void change(GBinderReader *reader, GBinderWriter *writer)
{
	const Record *in = read_record(reader);
	Record *out = gbinder_writer_new0(writer, Record);
	guint32 numbers[16];
	GBinderHidlString names[16] = { 0 };
	char *title;
	guint i;

	if (!in || in->numbers.count > G_N_ELEMENTS(numbers) || in->names.count > G_N_ELEMENTS(names)) {
		return;
	}
	out->id = in->id + 1;
	title = g_ascii_strup(in->title.data.str, in->title.len);
	set_string(writer, &out->title, title);
	g_free(title);
	for (i = 0; i < in->numbers.count; i++) {
		numbers[i] = 2 * ((const guint32 *) in->numbers.data.ptr)[i];
	}
	set_vec(writer, &out->numbers, numbers, i, sizeof(*numbers));
	for (i = 0; i < in->names.count; i++) {
		set_string(writer, names + i, ((const GBinderHidlString *) in->names.data.ptr)[in->names.count - 1 - i].data.str);
	}
	set_vec(writer, &out->names, names, i, sizeof(*names));
	gbinder_writer_append_struct(writer, out, &record_type, NULL);
}

static void join(GBinderReader *reader, GBinderWriter *writer)
{
	const GBinderHidlVec *vec = gbinder_reader_read_hidl_struct(reader, GBinderHidlVec);
	const Record *records = vec ? vec->data.ptr : NULL;
	GString *all = g_string_new(NULL);
	guint i;

	for (i = 0; records && i < vec->count; i++) {
		char *one = describe(records + i);

		g_string_append_printf(all, "%s;", one);
		g_free(one);
	}
	gbinder_writer_append_hidl_string_copy(writer, all->str);
	g_string_free(all, TRUE);
}

// Appends a handle of n files, which must stay open until it is sent.
static void append_handle(GBinderWriter *writer, const int *files, guint n)
{
	GBinderHidlHandle *handle = gbinder_writer_new0(writer, GBinderHidlHandle);
	GBinderFds *fds = gbinder_writer_malloc0(writer, sizeof(*fds) + n * sizeof(int));
	GBinderParent parent;

	fds->version = GBINDER_HIDL_FDS_VERSION;
	fds->num_fds = n;
	memcpy(fds + 1, files, n * sizeof(int));
	handle->data.fds = fds;
	handle->owns_handle = TRUE;
	parent.index = gbinder_writer_append_buffer_object(writer, handle, sizeof(*handle));
	parent.offset = GBINDER_HIDL_HANDLE_VALUE_OFFSET;
	gbinder_writer_append_fds(writer, fds, &parent);
}

// Writes a string into all files of a handle. The driver closes them with the buffer that
// they arrived in.
static gboolean write_handle(GBinderReader *reader)
{
	char *text = gbinder_reader_read_hidl_string(reader);
	const GBinderHidlHandle *handle = gbinder_reader_read_hidl_struct(reader, GBinderHidlHandle);
	gboolean written = text && handle && handle->data.fds;
	guint i;

	for (i = 0; written && i < handle->data.fds->num_fds; i++) {
		written = write(gbinder_fds_get_fd(handle->data.fds, i), text, strlen(text)) == (ssize_t) strlen(text);
	}
	g_free(text);
	return written;
}

static void close_later(gpointer fd)
{
	close(GPOINTER_TO_INT(fd));
}

static void open_handle(guint n, GBinderWriter *writer)
{
	int files[64], ends[2];
	guint i;

	n = MIN(n, G_N_ELEMENTS(files));
	for (i = 0; i < n; i++) {
		char text[16];

		g_assert(pipe2(ends, O_CLOEXEC) == 0);
		g_snprintf(text, sizeof(text), "%u", i);
		g_assert(write(ends[1], text, strlen(text)) == (ssize_t) strlen(text));
		close(ends[1]);
		files[i] = ends[0];
		gbinder_writer_add_cleanup(writer, close_later, GINT_TO_POINTER(ends[0]));
	}
	append_handle(writer, files, n);
}

static void call_back(GBinderReader *reader, GBinderWriter *writer)
{
	GBinderRemoteObject *listener = gbinder_reader_read_object(reader);
	char *text = gbinder_reader_read_hidl_string(reader), *answer = NULL, *out;
	GBinderClient *client = gbinder_client_new(listener, LISTENER);
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *reply;
	GBinderReader answered;

	gbinder_local_request_append_hidl_string(req, text);
	reply = gbinder_client_transact_sync_reply(client, 1, req, NULL);
	gbinder_remote_reply_init_reader(reply, &answered);
	if (gbinder_reader_read_int32(&answered, NULL)) {
		answer = gbinder_reader_read_hidl_string(&answered);
	}
	out = g_strconcat(answer ? answer : "no answer", "!", NULL);
	gbinder_writer_append_hidl_string_copy(writer, out);
	g_free(out);
	g_free(answer);
	g_free(text);
	gbinder_remote_reply_unref(reply);
	gbinder_local_request_unref(req);
	gbinder_client_unref(client);
	gbinder_remote_object_unref(listener);
}

// Reads all numbers from a queue in shared memory, and reports that the queue is
// empty. libgbinder can only create queues.
static guint64 sum(GBinderReader *reader)
{
	const Queue *queue = gbinder_reader_read_hidl_struct(reader, Queue);
	const Grantor *grantors = queue ? queue->grantors.data.ptr : NULL;
	guint64 total = 0, *reads, *writes, size;
	guint8 *memory;

	if (!grantors || queue->grantors.count != GRANTORS || !queue->data.fds || queue->quantum != sizeof(guint32)) {
		return 0;
	}
	size = grantors[EVENT].offset + grantors[EVENT].extent;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, gbinder_fds_get_fd(queue->data.fds, 0), 0);
	if (memory == MAP_FAILED) {
		return 0;
	}
	reads = (guint64 *) (memory + grantors[READ_COUNT].offset);
	writes = (guint64 *) (memory + grantors[WRITE_COUNT].offset);
	while (*reads != __atomic_load_n(writes, __ATOMIC_ACQUIRE)) {
		total += *(guint32 *) (memory + grantors[ITEMS].offset + *reads % grantors[ITEMS].extent);
		__atomic_store_n(reads, *reads + queue->quantum, __ATOMIC_RELEASE);
	}
	__atomic_or_fetch((guint32 *) (memory + grantors[EVENT].offset), DRAINED, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, memory + grantors[EVENT].offset, FUTEX_WAKE_BITSET, G_MAXINT, NULL, NULL, DRAINED);
	munmap(memory, size);
	return total;
}

static GBinderLocalReply *handle(GBinderLocalObject *object, GBinderRemoteRequest *req, guint code, guint flags,
	int *status, void *data)
{
	GBinderLocalReply *reply = gbinder_local_object_new_reply(object);
	GBinderWriter writer;
	GBinderReader reader;
	char *text, *out, **texts;
	guint32 n = 0;
	gsize count = 0, size = 0, i;
	const guint32 *numbers;
	guint32 *halves;

	gbinder_remote_request_init_reader(req, &reader);
	gbinder_local_reply_init_writer(reply, &writer);
	gbinder_writer_append_int32(&writer, 0);
	*status = GBINDER_STATUS_OK;
	switch (code) {
	case UPPER:
		text = gbinder_reader_read_hidl_string(&reader);
		out = g_ascii_strup(text ? text : "no string", -1);
		gbinder_writer_append_hidl_string_copy(&writer, out);
		g_free(out);
		g_free(text);
		break;
	case REVERSE:
		texts = gbinder_reader_read_hidl_string_vec(&reader);
		count = texts ? g_strv_length(texts) : 0;
		for (i = 0; i < count / 2; i++) {
			text = texts[i];
			texts[i] = texts[count - 1 - i];
			texts[count - 1 - i] = text;
		}
		gbinder_writer_append_hidl_string_vec(&writer, (const char **) texts, count);
		gbinder_writer_add_cleanup(&writer, (GDestroyNotify) g_strfreev, texts);
		break;
	case HALVE:
		numbers = gbinder_reader_read_hidl_vec(&reader, &count, &size);
		halves = gbinder_writer_malloc0(&writer, (count + 1) * sizeof(*halves));
		for (i = 0; size == sizeof(*numbers) && i < count; i++) {
			halves[i] = numbers[i] / 2;
		}
		gbinder_writer_append_hidl_vec(&writer, halves, count, sizeof(*halves));
		break;
	case CHANGE:
		change(&reader, &writer);
		break;
	case JOIN:
		join(&reader, &writer);
		break;
	case WRITE:
		gbinder_writer_append_bool(&writer, write_handle(&reader));
		break;
	case OPEN:
		gbinder_reader_read_uint32(&reader, &n);
		open_handle(n, &writer);
		break;
	case CALL_BACK:
		call_back(&reader, &writer);
		break;
	case SUM:
		gbinder_writer_append_int64(&writer, sum(&reader));
		break;
	case NOTE:
		text = gbinder_reader_read_hidl_string(&reader);
		say("note %s %d %u", text, (int) gbinder_remote_request_sender_pid(req),
			(unsigned) gbinder_remote_request_sender_euid(req));
		g_free(text);
		break;
	default:
		gbinder_local_reply_unref(reply);
		*status = -EBADMSG;
		return NULL;
	}
	return reply;
}

int run_hidl_service(int argc, char **argv)
{
	GBinderServiceManager *sm = manager_of(GBINDER_DEFAULT_HWBINDER);
	GBinderLocalObject *object = gbinder_servicemanager_new_local_object(sm, INTERFACE, handle, NULL);
	int status = gbinder_servicemanager_add_service_sync(sm, argv[0], object);

	if (status != GBINDER_STATUS_OK) {
		say("refused %d", status);
		return 1;
	}
	say("registered");
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}

static GBinderLocalReply *on_event(GBinderLocalObject *object, GBinderRemoteRequest *req, guint code, guint flags,
	int *status, void *data)
{
	GBinderLocalReply *reply = gbinder_local_object_new_reply(object);
	GBinderReader reader;
	GBinderWriter writer;
	char *text;

	gbinder_remote_request_init_reader(req, &reader);
	text = gbinder_reader_read_hidl_string(&reader);
	gbinder_local_reply_init_writer(reply, &writer);
	gbinder_writer_append_int32(&writer, 0);
	gbinder_writer_append_hidl_string_copy(&writer, text ? g_strreverse(text) : "no string");
	g_free(text);
	*status = GBINDER_STATUS_OK;
	return reply;
}

// The client's progress. Each check makes one call and compares its answer.
static GBinderServiceManager *manager;
static GBinderClient *client;
static const char *server;
static gboolean answered;

// Makes a call, reads its status, and stores the outcome in answered. The caller owns the
// reply.
static GBinderRemoteReply *call(guint code, GBinderLocalRequest *req, GBinderReader *reader)
{
	GBinderRemoteReply *reply = gbinder_client_transact_sync_reply(client, code, req, NULL);
	gint32 status = -1;

	gbinder_local_request_unref(req);
	gbinder_remote_reply_init_reader(reply, reader);
	answered = gbinder_reader_read_int32(reader, &status) && status == 0;
	return reply;
}

static void got_reply(GBinderClient *from, GBinderRemoteReply *reply, int status, void *data)
{
	*(GBinderRemoteReply **) data = gbinder_remote_reply_ref(reply);
}

static void verdict(const char *what, const char *kind, const char *got, const char *want)
{
	char *name = g_strdup_printf("C calls %s, HIDL: %s", server, what);
	gboolean right = !g_strcmp0(got, want);

	check(name, right, "got %s, want %s", got, want);
	count(server, kind, right);
	g_free(name);
}

static void check_strings(void)
{
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	const char *texts[] = { "one", "", "three", NULL };
	char *got, **all;

	gbinder_local_request_append_hidl_string(req, "hello, hwbinder");
	reply = call(UPPER, req, &reader);
	got = gbinder_reader_read_hidl_string(&reader);
	verdict("a string", "hidl", got, "HELLO, HWBINDER");
	g_free(got);
	gbinder_remote_reply_unref(reply);

	req = gbinder_client_new_request(client);
	gbinder_local_request_append_hidl_string_vec(req, texts, -1);
	reply = call(REVERSE, req, &reader);
	all = gbinder_reader_read_hidl_string_vec(&reader);
	got = all ? g_strjoinv(",", all) : NULL;
	verdict("a vector of strings", "hidl", got, "three,,one");
	g_free(got);
	g_strfreev(all);
	gbinder_remote_reply_unref(reply);
}

static void check_vector(const char *what, guint n)
{
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	GBinderWriter writer;
	guint32 *numbers = g_new(guint32, n + 1);
	const guint32 *halves;
	gsize count = 0, size = 0, right = 0;
	char *got, *want = g_strdup_printf("%u", n);
	guint i;

	for (i = 0; i < n; i++) {
		numbers[i] = g_random_int();
	}
	gbinder_local_request_init_writer(req, &writer);
	gbinder_writer_append_hidl_vec(&writer, numbers, n, sizeof(*numbers));
	reply = call(HALVE, req, &reader);
	halves = gbinder_reader_read_hidl_vec(&reader, &count, &size);
	while (halves && size == sizeof(*halves) && right < count && right < n && halves[right] == numbers[right] / 2) {
		right++;
	}
	got = answered ? g_strdup_printf("%zu", count == n ? right : count) : g_strdup("no answer");
	verdict(what, "hidl", got, want);
	g_free(got);
	g_free(want);
	g_free(numbers);
	gbinder_remote_reply_unref(reply);
}

static void fill_record(GBinderWriter *writer, Record *record, guint32 id)
{
	const guint32 numbers[] = { id, 20, 300 };
	GBinderHidlString names[2] = { 0 };

	record->id = id;
	set_string(writer, &record->title, "record");
	set_vec(writer, &record->numbers, numbers, G_N_ELEMENTS(numbers), sizeof(*numbers));
	set_string(writer, names, "a");
	set_string(writer, names + 1, "bc");
	set_vec(writer, &record->names, names, G_N_ELEMENTS(names), sizeof(*names));
}

static void check_structures(void)
{
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	GBinderWriter writer;
	Record *records;
	const Record *changed;
	char *got;
	guint i;

	gbinder_local_request_init_writer(req, &writer);
	records = gbinder_writer_new0(&writer, Record);
	fill_record(&writer, records, 1);
	gbinder_writer_append_struct(&writer, records, &record_type, NULL);
	reply = call(CHANGE, req, &reader);
	changed = read_record(&reader);
	got = changed ? describe(changed) : NULL;
	verdict("a structure with buffers in it", "hidl", got, "2 RECORD 2 40 600 bc a");
	g_free(got);
	gbinder_remote_reply_unref(reply);

	req = gbinder_client_new_request(client);
	gbinder_local_request_init_writer(req, &writer);
	records = gbinder_writer_malloc0(&writer, 3 * sizeof(*records));
	for (i = 0; i < 3; i++) {
		fill_record(&writer, records + i, i);
	}
	gbinder_writer_append_struct_vec(&writer, records, 3, &record_type);
	reply = call(JOIN, req, &reader);
	got = gbinder_reader_read_hidl_string(&reader);
	verdict("a vector of structures", "hidl", got,
		"0 record 0 20 300 a bc;1 record 1 20 300 a bc;2 record 2 20 300 a bc;");
	g_free(got);
	gbinder_remote_reply_unref(reply);
}

// Counts this process's open files.
static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

static void check_handles(void)
{
	const int before = open_files();
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	GBinderWriter writer;
	const GBinderHidlHandle *handle;
	int pipes[3][2], files[3];
	gboolean written = FALSE;
	GString *came = g_string_new(NULL);
	char buffer[64];
	ssize_t n;
	guint i;

	gbinder_local_request_init_writer(req, &writer);
	gbinder_writer_append_hidl_string(&writer, "to you");
	for (i = 0; i < G_N_ELEMENTS(files); i++) {
		g_assert(pipe2(pipes[i], O_CLOEXEC) == 0);
		files[i] = pipes[i][1];
	}
	append_handle(&writer, files, G_N_ELEMENTS(files));
	reply = call(WRITE, req, &reader);
	gbinder_reader_read_bool(&reader, &written);
	gbinder_remote_reply_unref(reply);
	for (i = 0; i < G_N_ELEMENTS(files); i++) {
		close(pipes[i][1]);
		// The pipe ends only once the service has closed its descriptor, too.
		while ((n = read(pipes[i][0], buffer, sizeof(buffer))) > 0) {
			g_string_append_len(came, buffer, n);
		}
		close(pipes[i][0]);
		g_string_append_c(came, written ? '.' : '?');
	}
	verdict("three file descriptors in a handle", "hidl fd", came->str, "to you.to you.to you.");
	g_string_truncate(came, 0);

	req = gbinder_client_new_request(client);
	gbinder_local_request_append_int32(req, 10);
	reply = call(OPEN, req, &reader);
	handle = gbinder_reader_read_hidl_struct(&reader, GBinderHidlHandle);
	for (i = 0; handle && handle->data.fds && i < handle->data.fds->num_fds; i++) {
		n = read(gbinder_fds_get_fd(handle->data.fds, i), buffer, sizeof(buffer));
		g_string_append_len(came, buffer, MAX(n, 0));
	}
	verdict("ten file descriptors in a reply", "hidl fd", came->str, "0123456789");
	gbinder_remote_reply_unref(reply);
	g_string_printf(came, "%d more", open_files() - before);
	verdict("they are closed with the reply's buffer", "hidl fd", came->str, "0 more");
	g_string_free(came, TRUE);
}

static void check_call_back(void)
{
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderLocalObject *listener = gbinder_servicemanager_new_local_object(manager, LISTENER, on_event, NULL);
	GBinderRemoteReply *reply = NULL;
	GBinderReader reader;
	char *got;

	gbinder_local_request_append_local_object(req, listener);
	gbinder_local_request_append_hidl_string(req, "stressed");
	// While it waits, this thread serves the process's objects.
	gbinder_client_transact(client, CALL_BACK, 0, req, got_reply, NULL, &reply);
	gbinder_local_request_unref(req);
	while (!reply) {
		g_main_context_iteration(NULL, TRUE);
	}
	gbinder_remote_reply_init_reader(reply, &reader);
	gbinder_reader_read_int32(&reader, NULL);
	got = gbinder_reader_read_hidl_string(&reader);
	verdict("an object that the service calls back", "hidl callback", got, "desserts!");
	g_free(got);
	gbinder_remote_reply_unref(reply);
	gbinder_local_object_drop(listener);
}

static void check_queue(void)
{
	GBinderFmq *queue = gbinder_fmq_new(sizeof(guint32), 100, GBINDER_FMQ_TYPE_SYNC_READ_WRITE,
		GBINDER_FMQ_FLAG_CONFIGURE_EVENT_FLAG, -1, 0);
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	GBinderWriter writer;
	guint64 total = 0;
	guint32 i, state = 0;
	char *got;

	for (i = 1; i <= 100; i++) {
		gbinder_fmq_write(queue, &i, 1);
	}
	gbinder_local_request_init_writer(req, &writer);
	gbinder_writer_append_fmq_descriptor(&writer, queue);
	reply = call(SUM, req, &reader);
	gbinder_reader_read_uint64(&reader, &total);
	gbinder_remote_reply_unref(reply);
	gbinder_fmq_wait(queue, DRAINED, &state);
	got = g_strdup_printf("%lu %u %zu", (unsigned long) total, state, gbinder_fmq_available_to_read(queue));
	verdict("a queue in shared memory", "hidl fmq", got, "5050 2 0");
	g_free(got);
	gbinder_fmq_unref(queue);
}

static void check_oneway(void)
{
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	int status;

	gbinder_local_request_append_hidl_string(req, "one way");
	status = gbinder_client_transact_sync_oneway(client, NOTE, req);
	gbinder_local_request_unref(req);
	verdict("a one-way call", "hidl oneway", status == GBINDER_STATUS_OK ? "sent" : "failed", "sent");
}

int run_hidl_client(int argc, char **argv)
{
	GBinderRemoteObject *remote;
	char *name = g_strdup_printf("%s/%s", INTERFACE, argv[0]);

	server = argv[1];
	manager = manager_of(GBINDER_DEFAULT_HWBINDER);
	remote = gbinder_servicemanager_get_service_sync(manager, name, NULL);
	if (!remote) {
		say("FAILED %s not found", name);
		return 1;
	}
	client = gbinder_client_new(remote, INTERFACE);
	check_strings();
	check_vector("a vector of numbers", 10);
	check_vector("a vector of 400 kB", 100000);
	check_vector("an empty vector", 0);
	check_call_back();
	check_oneway();
	// The Python module does not support structures with buffers in them.
	if (strcmp(server, "python")) {
		check_structures();
		check_handles();
		check_queue();
	}
	print_counts("");
	return failures() != 0;
}
