/**
 * @file json.h
 * Messages as JSON and back: for tools, tests and language bindings.
 *
 * Members are called as in Kafka's own JSON (the schema's name with a small first letter). Numbers are numbers, uuids 22
 * characters of URL-safe base64, bytes and record sets base64, null is null. A field that the version lacks is left out, a tagged field at its default
 * too. What Kafka's form cannot say is said so: text that is not UTF-8 as {"base64": "..."}, unknown tagged fields as a member "unknownTags":
 * [{"tag": 7, "data": "base64"}], numbers that JSON lacks as "NaN" (any but the usual one with its bits, "NaN(7ff8000000000001)"), "Infinity" and "-Infinity". So any message that can be encoded
 * survives the way through JSON byte for byte.
 *
 * Reading uses jansson, which allocates by malloc (never more than some ten times the text's length, all freed before the call
 * returns) and seeds its hash tables from the system once in a process. Writing uses the given allocator only.
 */
#ifndef KOP_JSON_H
#define KOP_JSON_H

#include <kop/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes a message as JSON text.
 *
 * @param id        A KOP_MSG_ number.
 * @param version   Which fields to show.
 * @param msg       The message's struct, with values that could be encoded.
 * @param msg_size  sizeof *msg.
 * @param limit     Most bytes of text.
 * @param alloc     Where the text is allocated; NULL: the C library's heap.
 * @param text      Receives the text, zero-terminated, on one line, owned by the caller, freed by kop_json_free() with the same allocator.
 * @param len       Receives its length without the zero.
 * @return ::KOP_OK; ::KOP_ERR_NOT_FOUND (no such message), ::KOP_ERR_UNSUPPORTED (no such version), ::KOP_ERR_INVALID (not the size of that
 *         struct, unusable allocator, or a list of unknown tags that is none), ::KOP_ERR_LIMIT, ::KOP_ERR_NOMEM. Since 0.1.
 */
KOP_API kop_status kop_json_write(uint32_t id, int16_t version, const void *msg, size_t msg_size,
                                  size_t limit, const kop_alloc *alloc, char **text, size_t *len);

/**
 * Frees what kop_json_write() gave.
 *
 * @param alloc  The allocator of that call.
 * @param text   The text; NULL is allowed. Never fails. Since 0.1.
 */
KOP_API void kop_json_free(const kop_alloc *alloc, char *text);

/**
 * Reads a message from JSON text.
 *
 * Members that are missing have their default. A member that the version does not have, a value of the wrong kind and a
 * number out of range are errors.
 *
 * @param id         A KOP_MSG_ number.
 * @param version    The version that the text is meant for.
 * @param arena      Where everything of the message lives; nothing of `text` is borrowed.
 * @param text       The text, an object in UTF-8.
 * @param len        Bytes at `text`.
 * @param msg        The message's struct; left undefined on error.
 * @param msg_size   sizeof *msg.
 * @param error      Receives one English line without a newline that says what is wrong and where, when the answer is ::KOP_ERR_MALFORMED; may be NULL.
 * @param error_cap  Room at `error`; 128 is enough. Longer text is cut, always zero-terminated.
 * @return ::KOP_OK; ::KOP_ERR_MALFORMED (the text), ::KOP_ERR_NOT_FOUND, ::KOP_ERR_UNSUPPORTED, ::KOP_ERR_INVALID (not the size of that struct), ::KOP_ERR_LIMIT
 *         or ::KOP_ERR_NOMEM (the arena). Since 0.1.
 */
KOP_API kop_status kop_json_read(uint32_t id, int16_t version, kop_arena *arena, const char *text,
                                 size_t len, void *msg, size_t msg_size, char *error,
                                 size_t error_cap);

#ifdef __cplusplus
}
#endif

#endif
