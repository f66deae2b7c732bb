/* Names for statuses, and the library's version. */
#include <kop/base.h>
#include <kop/version.h>

const char *kop_strerror(kop_status status) {
  switch (status) {
  case KOP_OK:
    return "ok";
  case KOP_ERR_INVALID:
    return "invalid argument";
  case KOP_ERR_NOMEM:
    return "out of memory";
  case KOP_ERR_TRUNCATED:
    return "input ends too early";
  case KOP_ERR_MALFORMED:
    return "malformed input";
  case KOP_ERR_LIMIT:
    return "limit passed";
  case KOP_ERR_UNSUPPORTED:
    return "unsupported";
  case KOP_ERR_STATE:
    return "not allowed in this state";
  case KOP_ERR_NOT_FOUND:
    return "not found";
  case KOP_ERR_CHECKSUM:
    return "checksum mismatch";
  case KOP_ERR_CODEC:
    return "compression library refused the bytes";
  case KOP_ERR_NO_SPACE:
    return "output buffer too small";
  default:
    return "unknown status";
  }
}

uint32_t kop_version(void) {
  return KOP_VERSION_NUMBER;
}

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define DOTTED     TEXT(KOP_VERSION_MAJOR) "." TEXT(KOP_VERSION_MINOR) "." TEXT(KOP_VERSION_PATCH)

const char *kop_version_string(void) {
  return DOTTED;
}
