/*
 * The tables that tools/wire/generate.py makes of lib/wire/schema, and that decoder, encoder, reflection and
 * JSON view walk.
 *
 *   message --version--> layout --> ops            what stands on the wire, in order
 *                              \--> inits          what a decoder sets because the wire does not have it
 *                              \--> absents        what must be at its default because the version lacks it
 *                              \--> tags           tagged fields: number, ops of their own, their default
 *   struct  --> fields                             names, types, versions: the reflective view
 *           \-> inits                              defaults of a fresh struct
 *
 * A layout is one struct as one or several versions write it; versions that agree share one. All of it are small
 * integers without a pointer, so the tables need no relocation and are shared between processes.
 *
 * An op is eight bytes. Neighbouring fields of fixed width are announced by a RUN with their bytes together, so that
 * bounds are checked once and the fields themselves are plain loads and stores:
 *
 *   FetchPartition v9   RUN 16, I32 partition, I32 current_leader_epoch, I64 fetch_offset, ... END
 */
#ifndef KOPI_WIRE_TABLE_H
#define KOPI_WIRE_TABLE_H

#include <kop/base.h>

/* Ops of the wire. STR to RECORDS and the arrays of strings come as pairs: the flexible form is the plain one plus 1. */
enum {
  KOPI_OP_END,      /* the struct is over */
  KOPI_OP_END_TAGS, /* the struct is over but for its tagged fields */
  KOPI_OP_RUN,      /* arg: bytes of the fixed fields that follow, extra: how many ops they are */
  KOPI_OP_BOOL,
  KOPI_OP_I8,
  KOPI_OP_I16,
  KOPI_OP_I32,
  KOPI_OP_I64, /* and float64 */
  KOPI_OP_UUID,
  KOPI_OP_STR,
  KOPI_OP_STR_FLEX,
  KOPI_OP_BYTES,
  KOPI_OP_BYTES_FLEX,
  KOPI_OP_RECORDS,
  KOPI_OP_RECORDS_FLEX,
  KOPI_OP_ARRAY_I8, /* flags FLEX for all arrays */
  KOPI_OP_ARRAY_I16,
  KOPI_OP_ARRAY_I32,
  KOPI_OP_ARRAY_I64,
  KOPI_OP_ARRAY_UUID,
  KOPI_OP_ARRAY_STR,
  KOPI_OP_ARRAY_STRUCT,   /* arg: layout of the elements */
  KOPI_OP_STRUCT,         /* arg: layout */
  KOPI_OP_NULLABLE_STRUCT /* arg: layout; the member is a pointer */
};

/* Flags of an op of the wire. */
enum {
  KOPI_OP_NULLABLE = 1, /* null is allowed in this version */
  KOPI_OP_FLEX = 2,     /* compact lengths */
  KOPI_OP_TAGGED = 4    /* a nullable struct in a tagged field: its marker is a varint */
};

/* Ops of defaults: SET in `inits`, which begin with zeroed memory, IS in `absents` and in a tag's checks. */
enum {
  KOPI_SET_CONST,       /* flags: width, arg: index of the value */
  KOPI_SET_EMPTY,       /* slice: empty, not null */
  KOPI_SET_NULL_ARRAY,  /* array: len -1 */
  KOPI_SET_ZERO_STRUCT, /* pointer: to a struct of zeros that nobody may write to */
  KOPI_IS_END,          /* all of the list held */
  KOPI_IS_I8,           /* the value is in arg, its upper half in extra, here and below */
  KOPI_IS_I16,
  KOPI_IS_I32,
  KOPI_IS_I64,
  KOPI_IS_CONST, /* int64, arg: index of the value, which has more than 32 bits */
  KOPI_IS_ZERO_UUID,
  KOPI_IS_EMPTY,      /* slice: empty, not null */
  KOPI_IS_NULL,       /* slice or pointer: null */
  KOPI_IS_NO_ELEMENT, /* array: empty, not null */
  KOPI_IS_NULL_ARRAY,
  KOPI_IS_STRUCT, /* pointer: not null, and behind it the list at `arg` holds */
  KOPI_IS_NO_TAGS /* slice of unknown tags: nothing there */
};

typedef struct kopi_op {
  uint8_t kind;
  uint8_t flags;
  uint16_t offset; /* of the member in its struct */
  uint16_t arg;
  uint16_t extra;
} kopi_op;

/* Tag number n of a layout is the n-th of its tags. */
typedef struct kopi_tag {
  uint16_t tag;
  uint16_t ops;    /* index of its ops, which end with END */
  uint16_t checks; /* index of the list that tells whether it is at its default */
} kopi_tag;

typedef struct kopi_layout {
  uint16_t ops;
  uint16_t inits;
  uint16_t absents;
  uint16_t tags;
  uint8_t init_count;
  uint8_t has_absents; /* 1: that list is not empty */
  uint8_t tag_count;
  uint8_t fixed; /* 1: every value takes min_wire bytes, and nothing can be wrong with it */
  uint16_t struct_size;
  uint16_t min_wire;    /* fewest bytes that a value can take */
  uint16_t tags_offset; /* of unknown_tags in the struct */
} kopi_layout;

/* Kinds of a field; the public KOP_KIND_ constants of kop/reflect.h have these values. */
enum {
  KOPI_KIND_BOOL,
  KOPI_KIND_INT8,
  KOPI_KIND_INT16,
  KOPI_KIND_UINT16,
  KOPI_KIND_INT32,
  KOPI_KIND_INT64,
  KOPI_KIND_FLOAT64,
  KOPI_KIND_UUID,
  KOPI_KIND_STRING,
  KOPI_KIND_BYTES,
  KOPI_KIND_RECORDS,
  KOPI_KIND_STRUCT
};

enum {
  KOPI_FIELD_ARRAY = 1,
  KOPI_FIELD_IGNORABLE = 2,
  KOPI_FIELD_KEY = 4,
  KOPI_FIELD_DEFAULT_NULL = 8,
  KOPI_FIELD_POINTER = 16 /* a struct that can be null: the member is a pointer */
};

typedef struct kopi_field {
  uint16_t name; /* index in kopi_wire_names */
  uint16_t offset;
  uint16_t struct_index; /* of kind STRUCT: index in kopi_wire_structs */
  uint16_t constant;     /* the default of a number: index in kopi_wire_constants */
  uint8_t kind;
  uint8_t flags;
  int8_t version_min;
  int8_t version_max;
  int8_t null_min; /* null_min > null_max: never null */
  int8_t null_max;
  int16_t tag; /* -1: none */
} kopi_field;

typedef struct kopi_struct {
  uint16_t name;
  uint16_t message; /* index in kopi_wire_messages */
  uint16_t fields;
  uint16_t inits;
  uint16_t size;
  uint16_t tags_offset; /* of unknown_tags, when the message has tags */
  uint8_t field_count;
  uint8_t init_count;
} kopi_struct;

typedef struct kopi_message {
  uint16_t id;
  uint16_t name;
  uint16_t structs; /* index of its own struct; the others follow */
  uint16_t layouts; /* index in kopi_wire_version_layouts of version_min */
  uint8_t struct_count;
  int8_t version_min;
  int8_t version_max;
  int8_t flexible_from; /* version_max + 1: never */
  uint8_t unstable;
  uint8_t has_tags; /* 1: some version is flexible, so its structs have unknown_tags */
} kopi_message;

extern const kopi_op kopi_wire_ops[];
extern const kopi_op kopi_wire_defaults[]; /* inits, absents and checks */
extern const kopi_tag kopi_wire_tags[];
extern const kopi_layout kopi_wire_layouts[];
extern const uint16_t kopi_wire_version_layouts[];
extern const kopi_field kopi_wire_fields[];
extern const kopi_struct kopi_wire_structs[];
extern const kopi_message kopi_wire_messages[];
extern const uint16_t kopi_wire_message_count;
extern const int64_t kopi_wire_constants[];
extern const char kopi_wire_names[];

#endif
