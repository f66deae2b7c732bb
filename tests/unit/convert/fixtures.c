/* The reader of tests/fixtures/kop that the tests of entries have. */
#include "unit/pulsar/fixtures.c"
