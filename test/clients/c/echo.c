// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// A service that implements IEcho. A reply starts with int32 0, like an AIDL
// reply without an exception.
//
//    2  String upper(String)
//    3  int add(int, int)
//    6  oneway void note(String)
//    7  String callBack(IListener, String)           what the listener answers, and "!"
//   10  byte[] reverse(byte[])
//   11  int writeFile(ParcelFileDescriptor, String)  bytes written
//   12  ParcelFileDescriptor openFile(String)        a pipe with the string in it
//   13  long caller()                                pid << 32 | euid
//   14  void fail(int, String)                       throws that error, with that message
//   15  int notes()                                  how many notes have arrived
//   16  int heard(String tag)                        how many of "tag 1", "tag 2", ... have arrived;
//                                                    -1 if one was out of order

#define _GNU_SOURCE
#include "gb_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
	gboolean quiet;
	gint32 notes;
	// The number of the last note of each tag, or -1.
	GHashTable *tags;
} Echo;

static void note(Echo *echo, GBinderRemoteRequest *req, GBinderReader *reader)
{
	char *text = gbinder_reader_read_string16(reader);
	char *space = text ? strrchr(text, ' ') : NULL;

	echo->notes++;
	if (!echo->quiet) {
		say("note %s %d %u", text, (int) gbinder_remote_request_sender_pid(req),
			(unsigned) gbinder_remote_request_sender_euid(req));
	}
	if (space) {
		int number = atoi(space + 1), last;

		*space = 0;
		last = GPOINTER_TO_INT(g_hash_table_lookup(echo->tags, text));
		g_hash_table_insert(echo->tags, g_strdup(text),
			GINT_TO_POINTER(last >= 0 && number == last + 1 ? number : -1));
	}
	g_free(text);
}

static void call_back(GBinderReader *reader, GBinderLocalReply *reply)
{
	GBinderRemoteObject *listener = gbinder_reader_read_object(reader);
	char *text = gbinder_reader_read_string16(reader);
	GBinderClient *client = gbinder_client_new(listener, LISTENER_INTERFACE);
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderRemoteReply *answer;
	GBinderReader answered;
	char *heard = NULL, *out;
	int status;

	gbinder_local_request_append_string16(req, text);
	answer = gbinder_client_transact_sync_reply(client, LISTENER_ON_EVENT, req, &status);
	gbinder_remote_reply_init_reader(answer, &answered);
	if (gbinder_reader_read_int32(&answered, NULL)) {
		heard = gbinder_reader_read_string16(&answered);
	}
	out = g_strconcat(heard ? heard : "no answer", "!", NULL);
	gbinder_local_reply_append_string16(reply, out);
	g_free(out);
	g_free(heard);
	g_free(text);
	gbinder_remote_reply_unref(answer);
	gbinder_local_request_unref(req);
	gbinder_client_unref(client);
	gbinder_remote_object_unref(listener);
}

static void reverse(GBinderReader *reader, GBinderWriter *writer)
{
	gsize length = 0, i;
	const guint8 *in = gbinder_reader_read_byte_array(reader, &length);
	guint8 *out = g_malloc(length + 1);

	for (i = 0; i < length; i++) {
		out[i] = in[length - 1 - i];
	}
	if (length > 0) {
		gbinder_writer_append_byte_array(writer, out, length);
	} else {
		// libgbinder would send a null array.
		gbinder_writer_append_int32(writer, 0);
	}
	g_free(out);
}

static gint32 write_file(GBinderReader *reader)
{
	gint32 present = 0, extra = 1, written = -1;
	char *text;
	int fd;

	gbinder_reader_read_int32(reader, &present);
	gbinder_reader_read_int32(reader, &extra);
	// The descriptor belongs to the request, and is closed with it.
	fd = gbinder_reader_read_fd(reader);
	text = gbinder_reader_read_string16(reader);
	if (present == 1 && extra == 0 && fd >= 0 && text) {
		written = write(fd, text, strlen(text));
	}
	g_free(text);
	return written;
}

static void open_file(GBinderReader *reader, GBinderWriter *writer)
{
	char *text = gbinder_reader_read_string16(reader);
	int ends[2];

	if (text && pipe2(ends, O_CLOEXEC) == 0) {
		ssize_t written = write(ends[1], text, strlen(text));

		g_assert(written == (ssize_t) strlen(text));
		gbinder_writer_append_int32(writer, 1);
		gbinder_writer_append_int32(writer, 0);
		// libgbinder sends a duplicate.
		gbinder_writer_append_fd(writer, ends[0]);
		close(ends[0]);
		close(ends[1]);
	}
	g_free(text);
}

static void heard(Echo *echo, GBinderReader *reader, GBinderWriter *writer)
{
	char *tag = gbinder_reader_read_string16(reader);

	gbinder_writer_append_int32(writer, tag ? GPOINTER_TO_INT(g_hash_table_lookup(echo->tags, tag)) : 0);
	g_free(tag);
}

static void upper(GBinderReader *reader, GBinderWriter *writer)
{
	char *text = gbinder_reader_read_string16(reader);
	char *out = g_ascii_strup(text ? text : "", -1);

	gbinder_writer_append_string16(writer, out);
	g_free(out);
	g_free(text);
}

static void fail(GBinderReader *reader, GBinderWriter *writer)
{
	gint32 code = 0;
	char *message;

	gbinder_reader_read_int32(reader, &code);
	message = gbinder_reader_read_string16(reader);
	gbinder_writer_overwrite_int32(writer, 0, EX_SERVICE_SPECIFIC);
	gbinder_writer_append_string16(writer, message);
	gbinder_writer_append_int32(writer, 0);
	gbinder_writer_append_int32(writer, code);
	g_free(message);
}

static GBinderLocalReply *handle(GBinderLocalObject *object, GBinderRemoteRequest *req, guint code, guint flags,
	int *status, void *data)
{
	Echo *echo = data;
	GBinderLocalReply *reply = gbinder_local_object_new_reply(object);
	GBinderWriter writer;
	GBinderReader reader;
	gint32 a = 0, b = 0;

	gbinder_remote_request_init_reader(req, &reader);
	gbinder_local_reply_init_writer(reply, &writer);
	gbinder_writer_append_int32(&writer, 0);
	*status = GBINDER_STATUS_OK;
	switch (code) {
	case ECHO_UPPER:
		upper(&reader, &writer);
		break;
	case ECHO_ADD:
		gbinder_reader_read_int32(&reader, &a);
		gbinder_reader_read_int32(&reader, &b);
		gbinder_writer_append_int32(&writer, (guint32) a + (guint32) b);
		break;
	case ECHO_NOTE:
		note(echo, req, &reader);
		break;
	case ECHO_CALL_BACK:
		call_back(&reader, reply);
		break;
	case ECHO_REVERSE:
		reverse(&reader, &writer);
		break;
	case ECHO_WRITE_FILE:
		gbinder_writer_append_int32(&writer, write_file(&reader));
		break;
	case ECHO_OPEN_FILE:
		open_file(&reader, &writer);
		break;
	case ECHO_CALLER:
		gbinder_writer_append_int64(&writer, (guint64) gbinder_remote_request_sender_pid(req) << 32 |
			(guint32) gbinder_remote_request_sender_euid(req));
		break;
	case ECHO_FAIL:
		fail(&reader, &writer);
		break;
	case ECHO_NOTES:
		gbinder_writer_append_int32(&writer, echo->notes);
		break;
	case ECHO_HEARD:
		heard(echo, &reader, &writer);
		break;
	default:
		gbinder_local_reply_unref(reply);
		*status = -EBADMSG;
		return NULL;
	}
	return reply;
}

static int serve(const char *name, gboolean quiet)
{
	Echo echo = { quiet, 0, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
	GBinderServiceManager *sm = manager_of(device());
	GBinderLocalObject *object = gbinder_servicemanager_new_local_object(sm, ECHO_INTERFACE, handle, &echo);
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	int status = gbinder_servicemanager_add_service_sync(sm, name, object);

	if (status != GBINDER_STATUS_OK) {
		say("refused %d", status);
		return 1;
	}
	say("registered");
	g_main_loop_run(loop);
	return 0;
}

int run_service(int argc, char **argv)
{
	return serve(argv[0], FALSE);
}

int run_soak_server(int argc, char **argv)
{
	return serve(argv[0], TRUE);
}
