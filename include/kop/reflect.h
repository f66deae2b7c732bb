/**
 * @file reflect.h
 * The reflective view of Kafka's messages: their structs and fields by name, read and written without kop/messages.h.
 *
 * This is how language bindings and tools see a message. They ask for the size of its struct (kop_message_describe()), get that
 * memory anywhere (kop_arena_alloc()), and reach every field by the number of its struct and its own index. The offsets are
 * those of the library that runs, so nothing here depends on the headers a program was compiled with.
 *
 * In all calls below `struct_id` is a KOP_STRUCT_ number, `field` an index below the struct's field count, `base` a struct of that
 * number, and `element` the index in an array field, 0 for any other field.
 */
#ifndef KOP_REFLECT_H
#define KOP_REFLECT_H

#include <kop/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Kinds of a field's value, or of its elements when it is an array. */
enum {
  KOP_KIND_BOOL = 0,     /**< 0 or 1 in a uint8_t. */
  KOP_KIND_INT8 = 1,     /**< int8_t. */
  KOP_KIND_INT16 = 2,    /**< int16_t. */
  KOP_KIND_UINT16 = 3,   /**< uint16_t. */
  KOP_KIND_INT32 = 4,    /**< int32_t. */
  KOP_KIND_INT64 = 5,    /**< int64_t. */
  KOP_KIND_FLOAT64 = 6,  /**< double. */
  KOP_KIND_UUID = 7,     /**< ::kop_uuid. */
  KOP_KIND_STRING = 8,   /**< ::kop_slice. */
  KOP_KIND_BYTES = 9,    /**< ::kop_slice. */
  KOP_KIND_RECORDS = 10, /**< ::kop_slice with a record set. */
  KOP_KIND_STRUCT = 11   /**< The struct in place, or a pointer to it, see ::KOP_FIELD_POINTER. */
};

/** Bits of kop_field_info.flags. */
enum {
  KOP_FIELD_ARRAY = 1,     /**< An array of the kind. */
  KOP_FIELD_IGNORABLE = 2, /**< May be left out silently when written in a version that lacks it. */
  KOP_FIELD_KEY = 4,       /**< The array around it is a map with this key. */
  KOP_FIELD_DEFAULT_NULL = 8, /**< Null by default. */
  KOP_FIELD_POINTER = 16      /**< A struct behind a pointer, since it can be null. */
};

/** One struct of a message. */
typedef struct kop_struct_info {
  size_t size; /**< sizeof(kop_struct_info) as the caller compiled it. */
  const char
      *name; /**< Static, as in the schema: "FetchTopic"; that of the message for its own struct. */
  size_t struct_size;   /**< Bytes of the struct. */
  uint32_t struct_id;   /**< The KOP_STRUCT_ number. */
  uint32_t message_id;  /**< The message it belongs to. */
  uint32_t field_count; /**< Number of fields. */
  uint32_t has_tags;    /**< 1 when it can carry unknown tagged fields. */
} kop_struct_info;

/** One field of a struct. */
typedef struct kop_field_info {
  size_t size;            /**< sizeof(kop_field_info) as the caller compiled it. */
  const char *name;       /**< Static, as in the schema: "MaxWaitMs". */
  size_t offset;          /**< Of the member in the struct. */
  int64_t default_number; /**< The default of numbers and bools, else 0. */
  uint32_t kind;          /**< A KOP_KIND_ constant. */
  uint32_t flags;         /**< KOP_FIELD_ bits. */
  uint32_t struct_id;     /**< For ::KOP_KIND_STRUCT: which. */
  int32_t tag;            /**< -1 when it is not a tagged field. */
  int16_t version_min;    /**< First version that has it. */
  int16_t version_max;    /**< Last version that has it. */
  int16_t
      null_min; /**< First version in which it can be null; 1 with null_max 0 when it never can. */
  int16_t null_max; /**< Last version in which it can be null. */
} kop_field_info;

/**
 * Describes a struct.
 *
 * @param struct_id  Which.
 * @param out        Filled; `out->size` is set.
 * @param out_size   sizeof *out.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND, ::KOP_ERR_INVALID (`out_size` is that of no release). Since 0.1.
 */
KOP_API kop_status kop_struct_describe(uint32_t struct_id, kop_struct_info *out, size_t out_size);

/**
 * Describes a field.
 *
 * @param struct_id  Which struct.
 * @param field      Index of the field, in the order of the schema.
 * @param out        Filled; `out->size` is set.
 * @param out_size   sizeof *out.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND (no such struct or field), ::KOP_ERR_INVALID (`out_size` is that of no release). Since 0.1.
 */
KOP_API kop_status kop_field_describe(uint32_t struct_id, uint32_t field, kop_field_info *out,
                                      size_t out_size);

/**
 * Finds a field by its name.
 *
 * @param struct_id  Which struct.
 * @param name       As in the schema ("MaxWaitMs") or as in Kafka's JSON ("maxWaitMs").
 * @param field      Receives its index.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND. Since 0.1.
 */
KOP_API kop_status kop_field_find(uint32_t struct_id, const char *name, uint32_t *field);

/**
 * The number of elements of an array field, or whether a value is there at all.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param len        Receives the length of an array; of any other field 1. -1 when the value is null.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND (no such struct or field). Since 0.1.
 */
KOP_API kop_status kop_field_len(uint32_t struct_id, uint32_t field, const void *base,
                                 int32_t *len);

/**
 * Makes room in a field: an array of default elements, a nullable struct at its defaults, or null.
 *
 * @param struct_id  Which struct.
 * @param field      Which field: an array, or one that can be null in some version.
 * @param base       The struct.
 * @param arena      Where elements and structs live.
 * @param len        Elements of an array; 1 for a struct that is there; -1 for null. Strings and bytes take -1 only.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND, ::KOP_ERR_INVALID (a length that the field cannot have), ::KOP_ERR_LIMIT or ::KOP_ERR_NOMEM (the
 *         arena; nothing was changed). Since 0.1.
 */
KOP_API kop_status kop_field_set_len(uint32_t struct_id, uint32_t field, void *base,
                                     kop_arena *arena, int32_t len);

/**
 * Reads a bool or an integer.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param value      Receives the value.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND (no such struct, field or element), ::KOP_ERR_INVALID (another kind). Since 0.1.
 */
KOP_API kop_status kop_field_get_int(uint32_t struct_id, uint32_t field, const void *base,
                                     int32_t element, int64_t *value);

/**
 * Writes a bool or an integer.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param value      The value.
 * @return As kop_field_get_int(), and ::KOP_ERR_INVALID for a value that the kind cannot hold. Since 0.1.
 */
KOP_API kop_status kop_field_set_int(uint32_t struct_id, uint32_t field, void *base,
                                     int32_t element, int64_t value);

/**
 * Reads a float64.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param value      Receives the value.
 * @return As kop_field_get_int(). Since 0.1.
 */
KOP_API kop_status kop_field_get_float(uint32_t struct_id, uint32_t field, const void *base,
                                       int32_t element, double *value);

/**
 * Writes a float64.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param value      The value.
 * @return As kop_field_get_int(). Since 0.1.
 */
KOP_API kop_status kop_field_set_float(uint32_t struct_id, uint32_t field, void *base,
                                       int32_t element, double value);

/**
 * Reads a string, bytes, a record set, or the 16 bytes of a uuid.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param value      Receives the slice, valid as long as what the message borrows from; a uuid borrows from `base`.
 * @return As kop_field_get_int(). Since 0.1.
 */
KOP_API kop_status kop_field_get_slice(uint32_t struct_id, uint32_t field, const void *base,
                                       int32_t element, kop_slice *value);

/**
 * Writes a string, bytes, a record set (borrowed: the bytes must outlive the message) or a uuid (copied).
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param value      The slice; 16 bytes for a uuid.
 * @return As kop_field_get_int(), and ::KOP_ERR_INVALID for a uuid of another length. Since 0.1.
 */
KOP_API kop_status kop_field_set_slice(uint32_t struct_id, uint32_t field, void *base,
                                       int32_t element, kop_slice value);

/**
 * Goes into a struct.
 *
 * @param struct_id  Which struct.
 * @param field      Which field.
 * @param base       The struct.
 * @param element    Index in an array, else 0.
 * @param inner      Receives the inner struct, part of the message; NULL when it is null.
 * @return As kop_field_get_int(). Since 0.1.
 */
KOP_API kop_status kop_field_get_struct(uint32_t struct_id, uint32_t field, void *base,
                                        int32_t element, void **inner);

/**
 * Reads the raw list of unknown tagged fields.
 *
 * @param struct_id  Which struct.
 * @param base       The struct.
 * @param tags       Receives the list; empty when there are none.
 * @return ::KOP_OK, ::KOP_ERR_NOT_FOUND (no such struct, or it cannot carry any). Since 0.1.
 */
KOP_API kop_status kop_struct_get_tags(uint32_t struct_id, const void *base, kop_slice *tags);

/**
 * Sets the raw list of unknown tagged fields. Whether it is one is found out when the message is written.
 *
 * @param struct_id  Which struct.
 * @param base       The struct.
 * @param tags       The list, borrowed.
 * @return As kop_struct_get_tags(). Since 0.1.
 */
KOP_API kop_status kop_struct_set_tags(uint32_t struct_id, void *base, kop_slice tags);

#ifdef __cplusplus
}
#endif

#endif
