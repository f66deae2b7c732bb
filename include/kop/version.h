/**
 * @file version.h
 * The version of the headers. kop_version() tells that of the library which runs.
 */
#ifndef KOP_VERSION_H
#define KOP_VERSION_H

#define KOP_VERSION_MAJOR  0 /**< Breaking changes; while it is 0 the minor number carries them. */
#define KOP_VERSION_MINOR  1 /**< Additions. */
#define KOP_VERSION_PATCH  0 /**< Corrections. */
#define KOP_VERSION_NUMBER 1000 /**< major * 1000000 + minor * 1000 + patch. */

#endif
